"""The tokenizer folder, its exports, and the vocabularies it is compared with."""
