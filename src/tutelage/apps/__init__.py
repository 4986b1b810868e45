"""The experiments: functions of a trained model that a person would call, each imported from its module.

    tutelage.apps.interpolation        interpolate, between; linear and spherical paths
    tutelage.apps.inference            infer: the latents of images, all of them or what a mask shows
    tutelage.apps.completion           complete, revise_hole; masks in tutelage.apps.masks
    tutelage.apps.projection           project: the latents of whole images
    tutelage.apps.large_texture        draft, revise: larger textures by a generator and its descriptor
    tutelage.apps.any_size             synthesise: images of any size by a cascade
    tutelage.apps.dynamics             synthesise: longer videos
    tutelage.apps.style                stylise: a photograph in the style of a texture that was learned
    tutelage.apps.features             features_of, raw_pixels: vectors for tutelage.metrics.probe
    tutelage.apps.density_ratio        terms: how likely a cascade finds images
    tutelage.apps.descriptor_density   terms: how likely a descriptor finds them

Those that take long are iterators that yield where they have come to: ``*_, last = infer(...)``.
"""
