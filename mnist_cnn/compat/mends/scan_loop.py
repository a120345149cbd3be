"""scan's loop in Python, with little work for each step.

Theano has the loop twice: in Cython of 2017, whose C needs headers that Python 3.11 and NumPy 2 hide, and in Python.
That one compares whole arrays where it means addresses, three times a step, since ``array.data`` is a memoryview in
Python 3; and it counts with arrays of no dimension.
"""

import time

from ..import_hooks import after, wrap

__all__ = []


def _check_steps(op, node, args):
    n_steps = int(args[0])
    if n_steps < 0:
        raise IndexError("Scan was asked to run for negative number of step %d" % n_steps)
    if n_steps == 0:
        raise NotImplementedError("We didn't implemented yet the case where scan do 0 iteration")
    for k in range(1, op.seqs_arg_offset):
        if args[k].shape[0] < n_steps:
            raise ValueError(
                "Sequence is shorter then the required number of steps : (n_steps, seq, seq.shape):",
                n_steps,
                node.inputs[k],
                args[k].shape,
            )
    return n_steps


def _state(op, k, initial, kept):
    """A recurrent output with its initial state: that array itself, the last call's, or a copy."""
    if k in (getattr(op, "destroy_map", None) or ()):
        return initial
    if kept is None or kept.shape[1:] != initial.shape[1:] or len(kept) < len(initial):
        return initial.copy()
    kept = kept[: len(initial)]
    read = -op.mintaps[k] if k > op.n_mit_mot else len(initial)
    kept[:read] = initial[:read]
    return kept


def _buffer(node, k, kept, size, first):
    """The array of an output without a state, for `size` values like the first."""
    shape = (size,) + first.shape
    if kept is None or len(kept) < size or kept.shape[1:] != shape[1:] or kept.dtype != first.dtype:
        return node.outputs[k].type.value_zeros(shape)
    return kept[:size]


def _rotate(array, first):
    """Move the row `first` of an array to its beginning, and the rows before it to its end."""
    before = array[:first].copy()
    rest = array[first:].copy()
    array[: len(rest)] = rest
    array[len(rest) :] = before


def _raise_with_node(fn):
    """Raise the exception of a step with the node that raised it, where the linker has not done it."""
    from theano.gof import link

    if hasattr(fn, "position_of_error"):
        k = fn.position_of_error
        link.raise_with_op(fn.nodes[k], *([fn.thunks[k]] if hasattr(fn, "thunks") else []))


def _update_inputs(inner):
    """Give the inner function's inputs their new values, where its linker has not done it."""
    updated = [
        storage
        for variable, storage in zip(inner.maker.expanded_inputs, inner.input_storage)
        if variable.update is not None
    ]
    for storage, result in zip(reversed(updated), reversed(inner.output_storage)):
        storage.data = result.data


def _execute(op, node, args, outs):
    start, in_steps = time.time(), 0.0
    n_steps = _check_steps(op, node, args)
    inner, fn = op.fn, op.fn.fn
    inputs = [container.storage for container in inner.input_storage]
    outputs = [container.storage for container in inner.output_storage]

    # Each output has a ring of `sizes` rows, and `places` is the next one.
    n_mit_mot, n_outs, n_rings = op.n_mit_mot, op.n_outs, op.n_outs + op.n_nit_sot
    for k in range(n_outs):
        outs[k][0] = _state(op, k, args[op.seqs_arg_offset + k], outs[k][0])
    sizes = [len(outs[k][0]) for k in range(n_outs)]
    sizes += [int(size) for size in args[op.nit_sot_arg_offset : op.nit_sot_arg_offset + op.n_nit_sot]]
    places = [int(-op.mintaps[k]) % sizes[k] for k in range(n_rings)]

    # What a step reads: rows of sequences and of states, shared values, and what stays the same.
    sequences = list(zip(inputs, args[1 : op.seqs_arg_offset]))
    taps = [(k, tap) for k in range(n_outs) for tap in op.tap_array[k]]
    states = [(storage, outs[k][0], k, tap) for storage, (k, tap) in zip(inputs[op.n_seqs :], taps)]
    constant = op.n_seqs + len(taps) + op.n_shared_outs
    shared = list(zip(inputs[op.n_seqs + len(taps) : constant], outs[n_rings:]))
    for (storage, _), value in zip(shared, args[op.shared_arg_offset :]):
        storage[0] = value
    for storage, value in zip(inputs[constant:], args[op.nit_sot_arg_offset + op.n_nit_sot :]):
        storage[0] = value

    # What it writes: an output at several taps, in place of what it read or not; then one row of each other output.
    several, n_new = [], 0
    in_place = iter(op.mitmots_preallocated)
    for k in range(n_mit_mot):
        for tap in op.mit_mot_out_slices[k]:
            if next(in_place):
                several.append((states[taps.index((k, tap))][0], outs[k][0], k, tap))
            else:
                several.append((outputs[n_new], outs[k][0], k, tap))
                n_new += 1
    ends = n_new + n_rings - n_mit_mot
    rows = list(zip(outputs[n_new:ends], range(n_mit_mot, n_rings)))
    placed = [(storage, k) for storage, k in rows if sizes[k] > 1 and not op.vector_outs[k]]
    new = outputs[:n_new] + [storage for storage, k in rows if sizes[k] == 1 or op.vector_outs[k]]
    new += outputs[ends : ends + op.n_shared_outs + op.as_while]
    shared_results = list(zip(outputs[ends:], outs[n_rings:]))
    condition = outputs[ends + op.n_shared_outs] if op.as_while else None
    for storage, _ in rows:
        storage[0] = None

    i, go_on = 0, True
    while i < n_steps and go_on:
        for storage, sequence in sequences:
            storage[0] = sequence[i, ...]  # an array, also of a single number
        for storage, state, k, tap in states:
            storage[0] = state[(places[k] + tap) % sizes[k], ...]
        for storage in new:
            storage[0] = None
        if i:
            for storage, k in placed:
                storage[0] = outs[k][0][places[k]]
            for storage, result in shared:
                storage[0] = result[0]

        before = time.time()
        try:
            fn()
        except Exception:
            _raise_with_node(fn)
            raise
        in_steps += time.time() - before
        if condition is not None:
            go_on = condition[0] == 0
        if getattr(fn, "need_update_inputs", True):
            _update_inputs(inner)

        # A result that is in its row already is not copied: NumPy sees that.
        for storage, output, k, tap in several:
            output[tap + places[k]] = storage[0]
        for storage, k in rows:
            if i == 0 and k >= n_outs:
                outs[k][0] = _buffer(node, k, outs[k][0], sizes[k], storage[0])
            try:
                outs[k][0][places[k]] = storage[0]
            except ValueError as error:
                if i == 0 or k >= n_outs:
                    raise
                raise ValueError(
                    "An output of the scan has changed shape. This may be caused by a pushout optimization. Try "
                    "adding 'optimizer_excluding=scanOp_pushout_output' to your Theano flags."
                ) from error
        for storage, result in shared_results:
            result[0] = storage[0]
        places = [(place + 1) % size for place, size in zip(places, sizes)]
        i += 1

    for k in range(n_mit_mot, n_rings):
        written = i - int(op.mintaps[k])
        if sizes[k] < written:
            if places[k]:
                _rotate(outs[k][0], places[k])
        elif sizes[k] > written:  # truncated gradients are zero; a loop that ended early has fewer rows
            outs[k][0][written:] = 0
            if i < n_steps:
                outs[k][0] = outs[k][0][: i - n_steps]

    # The inner function does not keep what belongs to this call.
    for storage in inputs + outputs:
        storage[0] = None
    op.t_call, op.t_fn = time.time() - start, in_steps
    profile = getattr(inner.maker, "profile", None)
    if profile:
        profile.callcount += 1
        profile.nbsteps += n_steps
        profile.call_time += op.t_call
        profile.vm_call_time += op.t_fn
        if hasattr(fn, "update_profile"):
            fn.update_profile(profile)


@after("theano.scan_module.scan_op")
def _mend_loop(module):
    @wrap(module.Scan, "execute")
    def execute(old, self, node, args, outs):
        if self.gpua:  # results in place are found by their addresses there
            return old(self, node, args, outs)
        return _execute(self, node, args, outs)
