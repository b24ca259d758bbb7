"""A GPT trained by nanosnake, for transformers (4.57 or newer) and PyTorch (2.5 or newer).

    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)

Pre-norm layers on a residual stream. What is not usual: RMS norms have no parameters; queries and keys are normed,
then scaled by 1.2 and rotated by the negative angle; each layer begins with a learnt mix of the stream and the
embedding; every other layer adds a gated token embedding to its values; the embedding gets a gated part of the
previous token's ("smear"); logits are squashed to plus or minus `softcap`; layers see a window or everything.

Shapes in names: B rows, T new tokens, S tokens with those in the cache, D width, H query heads, K key/value heads,
E head dimension.
"""

import torch
import torch.nn.functional as F
from torch import nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

VALUE_GATE_CHANNELS = 12
SMEAR_CHANNELS = 24
QK_SCALE = 1.2
CACHE = "cache" if "cache" in CausalLMOutputWithPast.__dataclass_fields__ else "past_key_values"
"""What this version of transformers calls the cache."""


class NanosnakeConfig(PretrainedConfig):
    model_type = "nanosnake"
    keys_to_ignore_at_inference = ("past_key_values", "cache")

    def __init__(
        self,
        vocab_size=32768,
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=128,
        max_position_embeddings=2048,
        windows=(),
        value_layers=(),
        rotary_base=100000.0,
        softcap=15.0,
        use_cache=True,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.num_key_value_heads = num_key_value_heads
        self.head_dim = head_dim
        self.max_position_embeddings = max_position_embeddings
        self.windows = list(windows)
        """Tokens before its own that a layer's position sees; null for all. Empty: all layers see all."""
        self.value_layers = list(value_layers)
        """Layers that add token embeddings to their values."""
        self.rotary_base = rotary_base
        self.softcap = softcap
        self.use_cache = use_cache
        kwargs.setdefault("tie_word_embeddings", False)
        super().__init__(**kwargs)


def norm(x):
    return F.rms_norm(x, (x.size(-1),))  # epsilon: 2**-23


def rotate(x_BTHE, start, base):
    """Rotate by position. Only differences of positions matter, so padding before a text changes nothing."""
    size, device = x_BTHE.size(-1), x_BTHE.device
    frequency = base ** (-torch.arange(0, size, 2, dtype=torch.float32, device=device) / size)
    position = torch.arange(start, start + x_BTHE.size(1), dtype=torch.float32, device=device)
    angle = torch.outer(position, frequency)[:, None]
    left, right = x_BTHE.chunk(2, dim=-1)
    cosine, sine = angle.cos(), angle.sin()
    return torch.cat([left * cosine + right * sine, right * cosine - left * sine], dim=-1)


class NanosnakeLayer(nn.Module):
    def __init__(self, config, index):
        super().__init__()
        self.config, self.index = config, index
        width, hidden, size = config.hidden_size, config.intermediate_size, config.head_dim
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.q_proj = nn.Linear(width, heads * size, bias=False)
        self.k_proj = nn.Linear(width, kv_heads * size, bias=False)
        self.v_proj = nn.Linear(width, kv_heads * size, bias=False)
        self.o_proj = nn.Linear(heads * size, width, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)
        self.residual_scale = nn.Parameter(torch.ones(1))
        self.embedding_scale = nn.Parameter(torch.zeros(1))
        self.has_values = index in config.value_layers
        if self.has_values:
            self.value_embedding = nn.Embedding(config.vocab_size, kv_heads * size)
            self.value_gate = nn.Linear(VALUE_GATE_CHANNELS, kv_heads, bias=False)

    def forward(self, x_BTD, first_BTD, input_ids, mask, cache, start):
        x_BTD = self.residual_scale * x_BTD + self.embedding_scale * first_BTD
        x_BTD = x_BTD + self.attention(norm(x_BTD), input_ids, mask, cache, start)
        return x_BTD + self.down_proj(F.relu(self.up_proj(norm(x_BTD))).square())

    def attention(self, x_BTD, input_ids, mask, cache, start):
        size, base = self.config.head_dim, self.config.rotary_base
        q, k, v = (
            project(x_BTD).unflatten(-1, (-1, size)) for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if self.has_values:
            gate_BTK = 3.0 * torch.sigmoid(self.value_gate(x_BTD[..., :VALUE_GATE_CHANNELS]))
            v = v + gate_BTK[..., None] * self.value_embedding(input_ids).view_as(v)
        q, k = (rotate(norm(x.float()) * QK_SCALE, start, base).to(x.dtype) for x in (q, k))
        q, k, v = (x.transpose(1, 2) for x in (q, k, v))
        if cache is not None:
            k, v = cache.update(k, v, self.index)
        shared = q.size(1) != k.size(1)
        y_BHTE = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, enable_gqa=shared)
        return self.o_proj(y_BHTE.transpose(1, 2).flatten(-2))


class NanosnakeForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = NanosnakeConfig
    base_model_prefix = ""
    _no_split_modules = ("NanosnakeLayer",)
    _supports_sdpa = True

    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.smear_gate = nn.Linear(SMEAR_CHANNELS, 1, bias=False)
        self.smear_scale = nn.Parameter(torch.zeros(1))
        self.layers = nn.ModuleList(NanosnakeLayer(config, i) for i in range(config.num_hidden_layers))
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self):
        return self.embed_tokens

    def set_input_embeddings(self, value):
        self.embed_tokens = value

    def get_output_embeddings(self):
        return self.lm_head

    def set_output_embeddings(self, value):
        self.lm_head = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,  # not used: what a token sees gives its position
        past_key_values=None,
        cache=None,
        inputs_embeds=None,
        labels=None,
        use_cache=None,
        logits_to_keep=0,
        **kwargs,
    ):
        if inputs_embeds is not None:
            raise ValueError("give input_ids: layers with value embeddings need the tokens themselves")
        cache = past_key_values if cache is None else cache
        use_cache = self.config.use_cache if use_cache is None else use_cache
        if not use_cache or self.training:
            cache = None
        elif cache is None:
            cache = DynamicCache()
        start = 0 if cache is None else cache.get_seq_length()
        length = start + input_ids.size(1)
        seen_BS = input_ids.new_ones(input_ids.size(0), length, dtype=torch.bool)
        if attention_mask is not None:
            seen_BS = attention_mask[:, -length:].bool()
        masks = {window: mask_of(seen_BS, start, window) for window in {None, *self.config.windows}}

        x_BTD = self.smear(norm(self.embed_tokens(input_ids)), seen_BS, cache)
        first_BTD = x_BTD
        windows = self.config.windows or [None] * len(self.layers)
        for layer, window in zip(self.layers, windows, strict=True):
            x_BTD = layer(x_BTD, first_BTD, input_ids, masks[window], cache, start)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(norm(x_BTD)[:, kept]).float()
        logits = self.config.softcap * torch.tanh(logits / self.config.softcap)
        loss = None
        if labels is not None:
            targets = labels[:, 1:].flatten().to(logits.device)
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, ignore_index=-100)
        return CausalLMOutputWithPast(loss=loss, logits=logits, **{CACHE: cache})

    def smear(self, x_BTD, seen_BS, cache):
        """Add a gated part of the previous token's embedding, which the cache keeps as if by one more layer."""
        new = x_BTD.size(1)
        all_BSD = x_BTD
        if cache is not None:
            index = self.config.num_hidden_layers
            if cache.layer_class_to_replicate is None and len(cache.layers) == index:
                cache.layers.append(type(cache.layers[0])())
            all_BSD = cache.update(x_BTD[:, None], x_BTD[:, None, :, :0], index)[0][:, 0]
        before_BTD = F.pad(all_BSD, (0, 0, 1, 0))[:, -new - 1 : -1]
        seen_BT1 = F.pad(seen_BS, (1, 0))[:, -new - 1 : -1, None]
        gate_BT1 = torch.sigmoid(self.smear_gate(x_BTD[..., :SMEAR_CHANNELS])) * seen_BT1
        return x_BTD + self.smear_scale * gate_BT1 * before_BTD


def mask_of(seen_BS, start, window):
    """Return which of all tokens each new one sees, [B, 1, T, S]: itself and earlier ones near enough."""
    at_S = torch.arange(seen_BS.size(1), device=seen_BS.device)
    distance_TS = at_S[start:, None] - at_S
    near_TS = distance_TS >= 0 if window is None else (distance_TS >= 0) & (distance_TS <= window)
    return ((near_TS & seen_BS[:, None]) | (distance_TS == 0))[:, None]
