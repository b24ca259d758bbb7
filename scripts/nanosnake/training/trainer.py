"""The training loop: steps, a check of each, evaluation, checkpoints, and a clean end when told
to stop."""

from __future__ import annotations

import dataclasses
import gc
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nanosnake.evaluation.evaluate import Scores, evaluate_documents, scores
from nanosnake.files import NanosnakeError
from nanosnake.messages import duration, log
from nanosnake.training import checkpoint, fit, schedule
from nanosnake.training.attention import choose_backend, describe_documents, describe_kernels
from nanosnake.training.config import ModelConfig, Stopped, TrainOptions
from nanosnake.training.distributed import Ranks
from nanosnake.training.export import fill, weights_of, write_model
from nanosnake.training.flops import flops_per_token, peak_flops
from nanosnake.training.head import head_loss
from nanosnake.training.kernels import compiler
from nanosnake.training.loader import Batch, Loader, Position, RowSource, assemble, boundary_capacity
from nanosnake.training.metrics import Metrics, Spent
from nanosnake.training.model import build_model
from nanosnake.training.optimizer import Optimizer
from nanosnake.training.packing import EpochOrder
from nanosnake.training.shards import TokenShards
from nanosnake.training.tensors import Arriving, sent
from nanosnake.training.vocabulary import Vocabulary


class NotFinite(NanosnakeError):
    """A loss or a gradient is infinite or not a number; no checkpoint holds what it did to the weights."""


@dataclass(frozen=True)
class Files:
    """What a run reads and writes."""

    train: TokenShards
    validation: TokenShards
    vocabulary: Vocabulary
    checkpoints: Path
    """Folder of the rolling checkpoints and of the metrics table; it outlives the run."""
    parent: Path | None = None
    """Weights that training begins with, next to their model.json; None: random ones."""

    @property
    def metrics(self) -> Path:
        """The metrics table."""
        return self.checkpoints / "metrics.jsonl"


def with_steps(config: ModelConfig, options: TrainOptions, data: TokenShards) -> TrainOptions:
    """Return options with the steps that read the data `epochs` times."""
    if data.planned:
        raise NanosnakeError(
            f"training: epochs is {options.epochs}, but a mixture's plan says how often each part is read; give steps"
        )
    rows = EpochOrder(data, config.sequence_length, options.seed_of_order, 0).rows
    _, rows_per_step = schedule.steps_and_rows(config, options)
    steps = max(1, round(options.epochs * rows / rows_per_step))
    return dataclasses.replace(options, steps=steps, epochs=0.0)


class Trainer:
    """One run on one rank. `run` trains to the end, from the newest checkpoint if there is one."""

    def __init__(
        self,
        config: ModelConfig,
        options: TrainOptions,
        files: Files,
        ranks: Ranks,
        *,
        keep: Sequence[int] = (),
        started: float | None = None,
    ) -> None:
        self.config, self.options, self.files, self.ranks, self.keep = config, options, files, ranks, keep
        if options.epochs:
            self.options = options = with_steps(config, options, files.train)
        self.started = time.perf_counter() if started is None else started
        files.train.check(files.vocabulary.bos, config.vocab_size)
        files.validation.check(files.vocabulary.bos, config.vocab_size)
        device = ranks.device
        memory = torch.tensor([fit.available(device)], dtype=torch.float64, device=device)
        ranks.broadcast(memory)
        self.plan = schedule.make_plan(config, options, ranks.world, float(memory))
        self._check_plan()
        if wrong := [step for step in keep if not 1 <= step <= self.plan.steps]:
            raise NanosnakeError(
                f"training: keep names step {wrong[0]}, but the run has 1 to {self.plan.steps}"
            )
        self.targets_per_step = self._targets_per_step()
        """Tokens that a step learns to predict; of conversations, whose rows differ, the mean."""
        backend = choose_backend(options.attention, device)
        self.model = build_model(config, device, backend=backend, seed=options.seed)
        self.compiled = options.compile and device.type == "cuda"
        self.forward: Callable[..., Tensor] = (
            torch.compile(self.model, dynamic=False, fullgraph=True, options=compiler.options())
            if self.compiled
            else self.model
        )
        self.optimizer = Optimizer(self.model, options, self.plan.lr_scale, ranks, compiled=self.compiled)
        self.step = 0
        self.best_bits = math.inf
        self.spent = Spent()
        position = self._resume()
        for parameter in self.model.parameters():
            ranks.broadcast(parameter.data)
        self.saved = time.perf_counter()
        """When the newest checkpoint was written, or the run began."""
        if options.micro_batch == 0 and device.type == "cuda":
            self._fit()
        self.loader = Loader(
            files.train,
            length=config.sequence_length,
            rows_per_step=self.plan.rows_per_step,
            micro_batch=self.plan.micro_batch,
            rank=ranks.rank,
            world=ranks.world,
            seed=options.seed_of_order,
            position=position,
            pin=device.type == "cuda",
        )
        self.metrics = Metrics(files.metrics if ranks.first else None, resume_step=self.step)
        self._before: dict[int, Any] = {}
        self.stop_asked = False
        """This rank was told to stop, by a signal that may arrive at any moment."""
        self.stopping = False
        """Some rank had been told to stop when the last step was summed; all ranks agree on it."""
        self.overdue = False
        """By the first rank's clock, a checkpoint was due when the last step was summed."""
        self.last_scores: Scores | None = None
        self.first_step_seconds = 0.0

    def _check_plan(self) -> None:
        """Check that the plan of a mixture was made for this run, so that each block is trained on exactly once."""
        planned, rows = self.files.train.planned, self.plan.steps * self.plan.rows_per_step
        length = self.config.sequence_length
        if planned and (planned.rows, planned.sequence_length) != (rows, length):
            raise NanosnakeError(
                f"the plan of the mixture is for {planned.rows:,} rows of {planned.sequence_length:,} tokens, and this run "
                f"takes {rows:,} of {length:,}; make the plan again, with the run's own options"
            )

    def _targets_per_step(self) -> float:
        rows, length, data = self.plan.rows_per_step, self.config.sequence_length, self.files.train
        if not data.are_conversations:
            return rows * length
        return rows * data.learned_tokens / EpochOrder(data, length, self.options.seed_of_order, 0).rows

    def say(self, message: str) -> None:
        """Log a line, once for all ranks."""
        if self.ranks.first:
            log(message)

    def _fit(self) -> None:
        """Choose the largest micro-batch whose forward, backward and update fit: by trying, on all ranks."""
        options, config, plan = self.options, self.config, self.plan

        def tries(rows: int) -> None:
            source = RowSource(self.files.train, config.sequence_length, options.seed_of_order, 0, 0)
            batch = assemble(source, rows, capacity=boundary_capacity(source, rows))
            try:
                self._backward(Batch(*batch, row=0, epoch=0).to(self.ranks.device), 1.0)
                largest = max(p.numel() for p in self.model.parameters())
                torch.empty(24 * largest, dtype=torch.uint8, device=self.ranks.device)  # for the update
            finally:
                self.optimizer.zero()

        share = plan.rows_per_step // self.ranks.world
        rows = fit.largest_that_runs(plan.micro_batch, share, tries, self.ranks, config)
        self.plan = dataclasses.replace(plan, micro_batch=rows)

    # checkpoints

    def _resume(self) -> Position | None:
        found, faults = checkpoint.load_newest(self.files.checkpoints)
        for fault in faults:
            self.say(f"not used: {fault}")
        if found is None:
            if parent := self.files.parent:
                fill(self.model, parent.parent)
                self.say(f"starts from the weights of {parent}")
            return None
        was = ModelConfig.from_dict(found.state["model"])
        if was != self.config:
            raise NanosnakeError(
                f"{self.files.checkpoints}: holds checkpoints of another model ({was}), not of "
                f"{self.config}; "
                "use another checkpoint folder, or remove this one to start over"
            )
        if found.state["rows_per_step"] != self.plan.rows_per_step or found.state["steps"] != self.plan.steps:
            raise NanosnakeError(
                f"{self.files.checkpoints}: the run was planned for {found.state['steps']} steps of "
                f"{found.state['rows_per_step']} sequences, now it is {self.plan.steps} of "
                f"{self.plan.rows_per_step}; "
                "restore global_batch and steps, or use another checkpoint folder"
            )
        self.model.load_state_dict(found.model)
        self.optimizer.load_state_dict(found.optimizer, found.step)
        self.step = found.step
        self.best_bits = found.state["best_bits_per_byte"] or math.inf
        self.spent = Spent(**found.state.get("spent", {}))
        self.spent.attempts += 1
        self.say(f"resumes from step {self.step} ({self.files.checkpoints})")
        return Position.from_dict(found.state["position"])

    def save(self) -> None:
        """Write a checkpoint of the steps that are done; all ranks have to call it."""
        optimizer = self.optimizer.state_dict()
        failed = torch.zeros(1, device=self.ranks.device)
        error: NanosnakeError | None = None
        if self.ranks.first:
            state = {
                "model": self.config.to_dict(),
                "options": self.options.to_dict(),
                "position": self.loader.position.to_dict(),
                "rows_per_step": self.plan.rows_per_step,
                "steps": self.plan.steps,
                "best_bits_per_byte": self.best_bits if math.isfinite(self.best_bits) else None,
                "spent": vars(self.spent),
            }
            taken = checkpoint.Checkpoint(self.step, weights_of(self.model), optimizer, state)
            try:
                checkpoint.save(self.files.checkpoints, taken, self.options.checkpoint_keep)
            except NanosnakeError as caught:
                error, failed = caught, failed + 1
        if float(self.ranks.sum(failed)):
            raise error or NanosnakeError("the first rank could not write a checkpoint; see its message")
        self.saved = time.perf_counter()

    def kept(self, step: int) -> Path:
        """Return the folder of the weights that are kept after a step."""
        return self.files.checkpoints / "kept" / str(step)

    # one step

    def train_step(self) -> dict[str, float]:
        """Do one step; return its loss, the mean over its targets, and gradient norm.

        Raises:
            NotFinite: if the loss or a gradient is not finite; the weights are of no use then.
        """
        losses, batches = [], []
        scale = 1.0 / self.targets_per_step
        counted = 0
        for number, batch in enumerate(self.loader.step(), start=1):
            if number == self.loader.accumulation:
                self.optimizer.arm()
            losses.append(self._backward(batch.to(self.ranks.device), scale))
            batches.append(batch)
            counted += int((batch.targets >= 0).sum())
        squares = self.optimizer.reduce()
        asked = torch.tensor([self.stop_asked, self._by_clock(), counted], dtype=torch.float32)
        figures = [torch.stack([torch.stack(losses).sum(), squares]), sent(asked, squares.device)]
        totals = Arriving(self.ranks.sum(torch.cat(figures)))
        done, steps = self.step, self.plan.steps
        self.optimizer.step(
            schedule.lr_factor(self.options, done, steps),
            schedule.momentum(self.options, done, steps),
            self.plan.weight_decay * schedule.decay_factor(done, steps),
        )
        self.optimizer.zero()
        # the only wait for the GPU in a step, while it still has the update to do
        loss, square, told, overdue, targets = totals.wait()
        loss *= self.targets_per_step / targets if targets else 1.0
        self.stopping, self.overdue = told > 0, overdue > 0
        if not (math.isfinite(loss) and math.isfinite(square)):
            raise NotFinite(self._describe_fault(loss, square, losses, batches))
        self.step += 1
        return {"loss": loss, "gradient_norm": math.sqrt(square)}

    def _backward(self, batch: Batch, scale: float) -> Tensor:
        documents = describe_documents(self.model.backend, self.config, batch.positions, batch.ends)
        x_ND = self.forward(batch.tokens, batch.positions, documents)
        loss = head_loss(
            x_ND,
            self.model.head,
            batch.targets,
            scale=scale,
            vocab_size=self.config.vocab_size,
            softcap=self.config.softcap,
        )
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _describe_fault(self, loss: float, square: float, losses: list[Tensor], batches: list[Batch]) -> str:
        where = f"rows {batches[0].row} and on of epoch {batches[0].epoch}"
        for value, batch in zip(losses, batches, strict=True):
            if not math.isfinite(float(value)):
                last = batch.row + self.plan.micro_batch - 1
                where = f"micro-batch of rows {batch.row} to {last} of epoch {batch.epoch}"
                break
        return (
            f"step {self.step + 1}: loss {loss}, squared gradient norm {square}; the batch is {where} "
            f"(rank {self.ranks.rank}). The newest checkpoint in {self.files.checkpoints} is from before this step: "
            "lower the learning rates, or look at that batch"
        )

    # the run

    def run(self) -> dict[str, Any]:
        """Train to the planned number of steps; return the run's figures.

        Raises:
            Stopped: after SIGTERM or Ctrl-C, once a checkpoint is written.
            NotFinite: see `train_step`.
        """
        self._before = {
            number: signal.signal(number, self._ask_to_stop) for number in (signal.SIGTERM, signal.SIGINT)
        }
        try:
            self._introduce()
            while self.step < self.plan.steps:
                self._interval()
            if self.last_scores is None:
                self.evaluate()
            if self.options.checkpoint_every:
                self.save()
        finally:
            for number, handler in self._before.items():
                signal.signal(number, handler)
            self.loader.close()
        return self.figures()

    def _ask_to_stop(self, number: int, frame: object) -> None:
        self.stop_asked = True
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])  # a second Ctrl-C stops at once
            if self.ranks.first:  # os.write, because the signal may have interrupted a print
                os.write(2, b"stopping after this step with a checkpoint; Ctrl-C again: without one\n")

    def _by_clock(self) -> bool:
        minutes = (time.perf_counter() - self.saved) / 60
        options = self.options
        return self.ranks.first and options.checkpoint_every < 0 and minutes >= options.checkpoint_minutes

    def _interval(self) -> None:
        """Train until the next log line, evaluation or checkpoint; then do what is due."""
        before, waited, first = time.perf_counter(), self.loader.waited, self.step
        while True:
            values = self.train_step()
            if self.step in self.keep and self.ranks.first:
                write_model(self.kept(self.step), self.model, self.files.vocabulary, {"steps": self.step})
            if self.first_step_seconds == 0.0:
                self._after_first_step()
                before, waited, first = time.perf_counter(), self.loader.waited, self.step
            if self.stopping or self.overdue or self.step == self.plan.steps or self._due():
                break
        seconds, steps = time.perf_counter() - before, self.step - first
        waited = self.loader.waited - waited
        self.spent.add(seconds, steps, waited)
        options, last = self.options, self.step == self.plan.steps
        if self._evaluated_now():
            self.evaluate()
        self._report(values, seconds, steps, waited)
        if self.stopping and not last:
            self.save()
            raise Stopped(
                f"told to stop: checkpoint of step {self.step} written to {self.files.checkpoints}; "
                "run the same command again to continue from it"
            )
        if not last and (self.overdue or self._every(options.checkpoint_every)):
            self.save()

    def _due(self) -> bool:
        options = self.options
        return any(map(self._every, (options.log_every, options.eval_every, options.checkpoint_every)))

    def _every(self, steps: int) -> bool:
        return steps > 0 and self.step % steps == 0

    def _after_first_step(self) -> None:
        # another rank may still be compiling its update, which would delay the second step
        self.ranks.sum(torch.zeros(1, device=self.ranks.device))
        if self.ranks.device.type == "cuda":
            torch.cuda.synchronize()
        self.first_step_seconds = time.perf_counter() - self.started
        self.say(f"first step after {duration(self.first_step_seconds)}")
        gc.collect()
        gc.freeze()  # objects that exist now stay: the garbage collector need not scan them again

    def evaluate(self) -> None:
        """Measure bits per byte on the validation tokens, not compiled: a second compilation, for the forward
        pass alone, would take longer than it saves."""
        sums = evaluate_documents(
            self.model,
            self.files.validation,
            self.files.vocabulary.lengths,
            self.ranks,
            micro_batch=self.plan.micro_batch,
            max_tokens=self.options.eval_tokens,
        )
        self.last_scores = scores(sums)
        if not math.isfinite(self.last_scores.loss):  # the loss of a step is that before its update
            raise NotFinite(
                f"step {self.step}: the validation loss is {self.last_scores.loss}: the update of this step ruined the "
                "weights; lower the learning rates"
            )
        self.best_bits = min(self.best_bits, self.last_scores.bits_per_byte)

    # figures and log lines

    def rates(self, seconds: float, steps: int) -> tuple[float, float | None]:
        """Return (tokens per second over all ranks, MFU or None) for some steps."""
        if steps == 0:
            return 0.0, None
        tokens = steps * self.plan.rows_per_step * self.config.sequence_length / seconds
        peak = None
        if self.ranks.device.type == "cuda":
            peak = peak_flops(self._device_name())
        return tokens, tokens * flops_per_token(self.config) / (peak * self.ranks.world) if peak else None

    def memory(self) -> float | None:
        """Return the most GPU memory held so far, in GiB."""
        if self.ranks.device.type != "cuda":
            return None
        return torch.cuda.max_memory_allocated(self.ranks.device) / 2**30

    def _report(self, values: dict[str, float], seconds: float, steps: int, waited: float) -> None:
        if not self.ranks.first:
            return
        tokens_per_second, mfu = self.rates(seconds, steps)
        factor = schedule.lr_factor(self.options, self.step - 1, self.plan.steps)
        evaluated = self.last_scores if self._evaluated_now() else None
        row = {
            "step": self.step,
            "tokens": self.step * self.plan.rows_per_step * self.config.sequence_length,
            "loss": values["loss"],
            "gradient_norm": values["gradient_norm"],
            "bits_per_byte": evaluated.bits_per_byte if evaluated else None,
            "lr_factor": factor,
            "learning_rate": factor * self.options.matrix_lr * self.plan.lr_scale,
            "tokens_per_second": tokens_per_second or None,
            "mfu": mfu,
            "memory_gib": self.memory(),
            "data_wait": waited / seconds if steps else None,
            "seconds": self.spent.seconds,
        }
        self.metrics.add(row)
        left = (self.plan.steps - self.step) * self.spent.seconds / max(1, self.spent.steps)
        parts = [f"step {self.step}/{self.plan.steps}", f"loss {values['loss']:.4f}"]
        if evaluated:
            parts.append(f"{evaluated.bits_per_byte:.4f} bits/byte")
        parts.append(f"lr x{factor:.2f}")
        if steps:
            parts.append(f"{tokens_per_second:,.0f} tokens/s")
            parts.append(f"data wait {100 * waited / seconds:.1f}%")
        if mfu is not None:
            parts.append(f"MFU {100 * mfu:.1f}%  {row['memory_gib']:.0f} GiB")
        log("  ".join([*parts, f"{duration(left)} left"]))

    def _evaluated_now(self) -> bool:
        every = self.options.eval_every
        return self.step == self.plan.steps or bool(every and self.step % every == 0 and not self.stopping)

    def _device_name(self) -> str:
        cuda = self.ranks.device.type == "cuda"
        return torch.cuda.get_device_name(self.ranks.device) if cuda else "CPU"

    def _introduce(self) -> None:
        config, plan = self.config, self.plan
        count = sum(p.numel() for p in self.model.parameters())
        self.say(f"{self._device_name()}: {describe_kernels(self.model.backend, self.model.fused)}")
        self.say(
            f"GPT of depth {config.depth}, width {config.width}: {count / 1e6:.1f} M parameters on "
            f"{self.ranks.world} x {self.ranks.device.type}; "
            f"{plan.steps} steps of {plan.rows_per_step * config.sequence_length:,} tokens "
            f"({self.loader.accumulation} micro-batches of {plan.micro_batch} x {config.sequence_length} "
            f"per rank); "
            f"data: {self.files.train.tokens:,} tokens, {self.files.train.documents:,} documents"
        )
        if cut := self.files.train.longer_conversations(config.sequence_length):
            self.say(
                f"{cut:,} conversations are longer than {config.sequence_length:,} tokens and are cut into pieces: an "
                "answer in a later piece does not see what came before"
            )

    def figures(self) -> dict[str, Any]:
        """Return the results of the run."""
        spent = self.spent
        tokens_per_second, mfu = self.rates(spent.seconds, spent.steps)
        scores = self.last_scores
        return {
            "steps": self.step,
            "tokens": self.step * self.plan.rows_per_step * self.config.sequence_length,
            "bits_per_byte": scores.bits_per_byte if scores else None,
            "validation_loss": scores.loss if scores else None,
            "validation_tokens": scores.tokens if scores else None,
            "tokens_per_second": tokens_per_second
            or None,  # a run that was killed after its last step has no steps left
            "mfu": mfu,
            "memory_gib": self.memory(),
            "data_wait": spent.waited / spent.seconds if spent.seconds else None,
            "seconds": spent.seconds,
            "attempts": spent.attempts,
            "first_step_seconds": self.first_step_seconds or None,
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "conversations": self.files.train.are_conversations,
        }
