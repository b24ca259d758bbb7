"""The report on one tokenizer: gather the files of a run, draw the charts, render one self-contained page."""
