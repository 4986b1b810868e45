"""What is learned from: images as memory-mapped bytes, the readers that make them, and the batches drawn from them."""

from .arrays import from_array, from_npy
from .augment import flip
from .batches import Batches
from .bundled import digit_labels, digits
from .cache import cache_folder
from .cifar import cifar10, cifar10_labels
from .clip import Clip
from .download import download, fetch_mnist
from .folder import folder_images, folder_splits
from .idx import labels, mnist
from .images import ImageSet, Splits, from_uint8, stretched, to_uint8
from .named import DataSpec, Labels, check_apart, class_folders, class_labels, find, find_each, load
from .picture import Fit
from .single import read_picture, single_image
from .svhn import svhn, svhn_labels
from .zipped import zip_splits

__all__ = [
    "Batches",
    "Clip",
    "DataSpec",
    "Fit",
    "ImageSet",
    "Labels",
    "Splits",
    "cache_folder",
    "check_apart",
    "cifar10",
    "cifar10_labels",
    "class_folders",
    "class_labels",
    "digit_labels",
    "digits",
    "download",
    "fetch_mnist",
    "find",
    "find_each",
    "flip",
    "folder_images",
    "folder_splits",
    "from_array",
    "from_npy",
    "from_uint8",
    "labels",
    "load",
    "mnist",
    "read_picture",
    "single_image",
    "stretched",
    "svhn",
    "svhn_labels",
    "to_uint8",
    "zip_splits",
]
