"""What is learned from: images as memory-mapped bytes, the readers that make them, and the batches drawn from them."""

from .arrays import from_array, from_npy
from .batches import Batches
from .bundled import digit_labels, digits
from .cache import cache_folder
from .download import download, fetch_mnist
from .folder import folder_images, folder_splits
from .idx import labels, mnist
from .images import ImageSet, Splits
from .named import DataSpec, find, load

__all__ = [
    "Batches",
    "DataSpec",
    "ImageSet",
    "Splits",
    "cache_folder",
    "digit_labels",
    "digits",
    "download",
    "fetch_mnist",
    "find",
    "folder_images",
    "folder_splits",
    "from_array",
    "from_npy",
    "labels",
    "load",
    "mnist",
]
