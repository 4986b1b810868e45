"""Networks: the only things that own parameters. Each is built from a frozen Spec."""

from .blocks import arithmetic
from .classifier import Classifier, ClassifierSpec
from .descriptor import Conv, Descriptor, DescriptorSpec
from .encoder import Encoder
from .experts import Experts
from .generator import Deconv, Generator, GeneratorSpec
from .pyramid import Pyramid, PyramidSpec
from .recogniser import Recogniser, RecogniserSpec
from .tiles import Tiles
from .velocity import Velocity, VelocitySpec
from .video_descriptor import VideoConv, VideoDescriptor, VideoDescriptorSpec
from .video_generator import VideoDeconv, VideoGenerator, VideoGeneratorSpec

__all__ = [
    "Classifier",
    "ClassifierSpec",
    "Conv",
    "Deconv",
    "Descriptor",
    "DescriptorSpec",
    "Encoder",
    "Experts",
    "Generator",
    "GeneratorSpec",
    "Pyramid",
    "PyramidSpec",
    "Recogniser",
    "RecogniserSpec",
    "Tiles",
    "Velocity",
    "VelocitySpec",
    "VideoConv",
    "VideoDeconv",
    "VideoDescriptor",
    "VideoDescriptorSpec",
    "VideoGenerator",
    "VideoGeneratorSpec",
    "arithmetic",
]
