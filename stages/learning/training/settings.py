"""What a training can be told: the command line, a TOML file and the card use these names."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from pipeline.config import Settings


def _rising(span: tuple[float, float]) -> tuple[float, float]:
    if not 0 < span[0] <= span[1]:
        raise ValueError("two numbers above 0, the smaller one first")
    return span


Span = Annotated[tuple[float, float], AfterValidator(_rising)]
"""From, to; drawn evenly between."""


class DataSettings(Settings):
    """What is learnt from, and what to do about what is wrong in it."""

    training: tuple[str, ...] = ()
    """COCO instance files, each FILE or FILE=FOLDER where the pictures lie elsewhere."""
    validation: str | None = None
    """A COCO instance file to measure on; without one some training pictures are held out."""
    hold_out: float = Field(default=0.15, ge=0.0, lt=1.0)
    """Share of the pictures to measure on where no validation file is given; 0: don't measure."""
    classes: tuple[str, ...] = ()
    """Names of the classes to learn; by default all that have instances in the files."""
    mistakes: Literal["stop", "drop"] = "stop"
    """Stop when a file has mistakes, or leave out the wrong annotations and pictures and go on."""
    bad_pictures: Literal["stop", "skip"] = "stop"
    """Stop at a picture that cannot be decoded, or count it and take another."""
    balance: float = Field(default=0.5, ge=0.0, le=1.0)
    """A class in a smaller share of the pictures than this is shown more often; 0: as it comes."""
    empty_share: float = Field(default=0.2, ge=0.0, lt=1.0)
    """Most pictures without any instance, as a share of an epoch."""


class StartSettings(Settings):
    """Where the weights begin, and what of them stays as it is."""

    weights: str = "auto"
    """A file, address or alias as `run` takes it, or `none`; auto: the network's published ones."""
    backbone: str | None = None
    """Start from a backbone only: a file, or a model of torchvision such as `resnet50`."""
    backbone_channels: Literal["rgb", "bgr", "auto"] = "auto"
    """Order of colours that a backbone's file was trained with; auto: the network's own."""
    heads: Literal["keep", "anew"] = "keep"
    """Class outputs of names that the weights know: keep them, or make all of them anew."""
    freeze: tuple[str, ...] | Literal["auto"] = "auto"
    """Parts that stay as they are, such as `neck`, `backbone.stage3`; auto: the first stages."""
    norms: Literal["auto", "learn", "backbone", "all"] = "auto"
    """Whose batch statistics stay as they are; auto: the backbone's, when it starts trained."""


class AugmentSettings(Settings):
    """How pictures are varied."""

    scales: Span = (0.8, 1.0)
    """Size of a batch's canvas, relative to the network's size of use."""
    zoom: Span = (0.8, 2.0)
    """Size of a picture relative to one that fits the canvas; what is larger is cropped."""
    unzoomed: float = Field(default=0.25, ge=0.0, le=1.0)
    """Share of pictures that just fit the canvas, as at use."""
    flip: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share mirrored left to right; 0 where left and right matter."""
    flip_vertical: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share turned upside down; 0.5 for views from above."""
    colour: float = Field(default=0.3, ge=0.0, le=1.0)
    """Strength of changes of brightness, contrast and saturation."""
    hue: float = Field(default=0.0, ge=0.0, le=0.5)
    """Strength of changes of hue, which costs the most time."""
    blur: float = Field(default=0.15, ge=0.0, le=1.0)
    """Share that is blurred."""
    compress: float = Field(default=0.2, ge=0.0, le=1.0)
    """Share that is compressed as JPEG."""
    paste: float = Field(default=0.4, ge=0.0, le=1.0)
    """Share into which instances of other pictures are pasted."""
    most_pasted: int = Field(default=5, ge=1)
    """Most instances pasted into one picture."""


class LearnSettings(Settings):
    """How long and how fast."""

    iterations: int | None = Field(default=None, gt=0)
    """Length in steps. By default 1000 or 12 epochs, whichever is more."""
    epochs: float | None = Field(default=None, gt=0.0)
    """Length in rounds through the pictures, instead."""
    minutes: float | None = Field(default=None, gt=0.0)
    """Length by the clock, instead; such a training does not repeat exactly."""
    batch: int = Field(default=8, ge=1)
    """Pictures in a batch, of each process."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients make one step."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """What turns gradients into steps."""
    rate: float | None = Field(default=None, gt=0.0)
    """Peak learning rate of neck and heads. By default what suits network, start and optimizer."""
    backbone_rate: float | None = Field(default=None, gt=0.0)
    """Peak learning rate of backbone and trained class branch. By default a fifth of the other."""
    momentum: float = Field(default=0.9, ge=0.0, lt=1.0)
    """Of SGD."""
    weight_decay: float | None = Field(default=None, ge=0.0)
    """Of weights with two or more dimensions. By default 0.05 for AdamW, 1e-4 for SGD."""
    schedule: Literal["cosine", "step", "constant"] = "cosine"
    """How the rate falls after the warm-up."""
    steps: tuple[float, ...] = (0.67, 0.92)
    """With `step`: the shares of the length after which the rate falls to a tenth."""
    warmup_iterations: int = Field(default=100, ge=0)
    """Steps over which the rate rises."""
    clip_norm: float = Field(default=10.0, gt=0.0)
    """Longest gradient."""
    average: float = Field(default=0.998, ge=0.0, lt=1.0)
    """Share of the old in the running average of the weights, which is what is kept; 0: none."""
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    """Arithmetic of the network; the losses are always float32."""

    @model_validator(mode="after")
    def _one_length(self) -> "LearnSettings":
        if sum(one is not None for one in (self.iterations, self.epochs, self.minutes)) > 1:
            raise ValueError("one of iterations, epochs and minutes")
        return self


class WatchSettings(Settings):
    """What is shown and measured meanwhile."""

    every_epochs: float | None = Field(default=None, gt=0.0)
    """Epochs between two measurements. By default there are five in a training."""
    pictures: int = Field(default=200, ge=1)
    """Most validation pictures that are measured on meanwhile; at the end all are."""
    sheet: int = Field(default=8, ge=0)
    """Pictures on the sheet of predictions beside the truth; 0: no sheet."""
    events: bool = True
    """Write events for TensorBoard."""
    line_every: int = Field(default=20, ge=1)
    """Iterations between two lines where there is no terminal, and between two events."""


class SaveSettings(Settings):
    """What is kept, and where."""

    folder: Path = Path("out/train")
    """Where weights, card, sheets, events and the state go; a state found there is gone on from."""
    every_s: float = Field(default=120.0, ge=0.0)
    """Seconds between two saved states; a training that is killed loses no more than this."""
    full_disk: Literal["stop", "go-on"] = "stop"
    """Stop when there is no room for a file, or count it and try again next time."""


class TrainSettings(Settings):
    """A training of one network."""

    network: str = "solov2-nano"
    """Name of the network; every `solov2-…` of `weights list` can be trained."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute: auto takes a CUDA device when there is one."""
    threads: int = Field(default=0, ge=0)
    """CPU threads of the network; 0: one for each core but those of the workers."""
    workers: int = Field(default=1, ge=0)
    """Processes that make the batches ahead; 0: they are made in between."""
    seed: int = Field(default=0, ge=0)
    """Of weights, order and augmentation. On a CPU the same seed gives the same weights."""
    data: DataSettings = DataSettings()
    start: StartSettings = StartSettings()
    augment: AugmentSettings = AugmentSettings()
    learn: LearnSettings = LearnSettings()
    watch: WatchSettings = WatchSettings()
    save: SaveSettings = SaveSettings()
