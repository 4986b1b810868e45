"""The loop, and what a run leaves behind.

    from tutelage.run.load import load          a trained run, opened: learner, state = load("runs/mnist")
    from tutelage.run.loop import iterate       learning in Python: state, record after each iteration
    from tutelage.run import checkpoint         save and load nested dicts of tensors, without pickles

To go on with a learner of one's own, save ``learner.state_dict(state)`` and ``rng.get_state()`` together.
"""
