"""What our models are compared with.

Those that learn by gradients use the same networks, the same learner contract and the same loop as our own models.
Dynamic textures (`lds`, `fft_lds`, `hosvd`, `mkgpdm`) and the filling of holes (`inpainting`, `mrf`) are fitted in one
call each: they are functions, not learners.
"""
