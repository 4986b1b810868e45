"""Numbers, each imported from its module. All take tensors: images ``[B, C, *space]`` in [-1, 1], features ``[n, d]``.

    tutelage.metrics.frechet           moments, frechet_distance: frechet_distance(moments(f(a)), moments(f(b)))
    tutelage.metrics.kernel_distance   kernel_distance (KID)
    tutelage.metrics.manifold          precision and recall, density and coverage
    tutelage.metrics.inception_score   the Inception Score of logits
    tutelage.metrics.class_scores      the probability of one class, and its top-k error
    tutelage.metrics.parzen            log-likelihood by a Parzen window
    tutelage.metrics.pixel             PSNR, SSIM, pairwise SSIM, errors inside a mask
    tutelage.metrics.sliced            patch-sliced Wasserstein distance, of textures
    tutelage.metrics.portilla_simoncelli   distance between texture statistics
    tutelage.metrics.temporal          of videos
    tutelage.metrics.probe             L2-SVMs on features, by few labels
    tutelage.metrics.extractors        the networks whose features are compared, by name and digest

Samples of a chain may leave [-1, 1]: ``.clamp(-1, 1)`` first.
"""
