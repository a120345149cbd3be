"""A network and its train step in JAX: one jitted function, with optax, in either order of axes."""

import jax
import jax.numpy as jnp
import optax
from jax import lax

VERSION = "JAX " + jax.__version__
CONTENDERS = {"JAX": dict(order="NCHW"), "JAX, channels last": dict(order="NHWC")}

GLOROT = jax.nn.initializers.glorot_uniform(in_axis=-2, out_axis=-1)


class Layers:
    """A list of layers as a function of parameters; `new` makes the parameters on the way."""

    def __init__(self, layers, order):
        self.layers, self.order, self.new = layers, order, None
        self.channels = order.index("C")
        self.spatial = (order.index("H"), order.index("W"))

    def initialize(self, images, key):
        """The parameters, a list in the order of use."""
        self.new = []
        self(self.new, images, key)
        parameters, self.new = self.new, None
        return parameters

    def __call__(self, parameters, x, key):
        """The logits; without a key without dropout."""
        self.source, self.key = iter(list(parameters)), key
        return self._through(self.layers, x)

    def _parameter(self, shape, initialize):
        if self.new is None:
            return next(self.source)
        self.new.append(initialize(jax.random.PRNGKey(len(self.new)), shape, jnp.float32))
        return self.new[-1]

    def _over_channels(self, values):
        return values if self.channels == 3 else values[:, None, None]

    def _window(self, value, others):
        return tuple(value if axis in self.spatial else others for axis in range(4))

    def _through(self, layers, x):
        for kind, settings in layers:
            x = getattr(self, "_" + kind)(x, **settings)
        return x

    def _conv(self, x, filters, size, stride, pad, bias):
        w = self._parameter((size, size, x.shape[self.channels], filters), GLOROT)
        numbers = (self.order, "HWIO", self.order)
        y = lax.conv_general_dilated(x, w, (stride, stride), [(pad, pad)] * 2, dimension_numbers=numbers)
        return y + self._over_channels(self._parameter((filters,), jax.nn.initializers.zeros)) if bias else y

    def _pool(self, x, size, stride, mode, ceil):
        windows, strides = self._window(size, 1), self._window(stride, 1)
        padding = "SAME" if ceil else "VALID"  # the same for even sizes, windows of 3 and strides of 2
        if mode == "max":
            return lax.reduce_window(x, -jnp.inf, lax.max, windows, strides, padding)
        sums = lax.reduce_window(x, 0.0, lax.add, windows, strides, padding)
        return sums / lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, windows, strides, padding)

    def _relu(self, x):
        return jax.nn.relu(x)

    def _tanh(self, x):
        return jnp.tanh(x)

    def _batch_norm(self, x):
        shape = (x.shape[self.channels],)
        gamma = self._parameter(shape, jax.nn.initializers.ones)
        beta = self._parameter(shape, jax.nn.initializers.zeros)
        axes = tuple(axis for axis in range(4) if axis != self.channels)
        mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
        scaled = (x - mean) * lax.rsqrt(variance + 1e-4) * self._over_channels(gamma)
        return scaled + self._over_channels(beta)

    def _dropout(self, x, rate):
        if self.key is None:
            return x
        self.key, key = jax.random.split(self.key)
        return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)

    def _flatten(self, x):
        return x.reshape(len(x), -1)

    def _global_average(self, x):
        return x.mean(self.spatial)

    def _dense(self, x, units):
        y = x @ self._parameter((x.shape[1], units), GLOROT)
        return y + self._parameter((units,), jax.nn.initializers.zeros)

    def _sum(self, x, branches):
        return sum(self._through(branch, x) for branch in branches)


class Contender:
    """A network with its train step and its answers; batch normalization is that of training in both."""

    def __init__(self, layers, shape, order):
        self.order = order
        self.key = jax.random.PRNGKey(0)
        network = Layers(layers, order)
        self.state = network.initialize(self.prepare(jnp.zeros((1, *shape)), [0])[0], self.key)
        self.parameters = sum(part.size for part in self.state)
        optimizer = optax.sgd(0.01, 0.9, nesterov=True)
        self.momentum = optimizer.init(self.state)

        @jax.jit
        def step(state, momentum, key, images, labels):
            key, dropout = jax.random.split(key)

            def loss_of(state):
                logits = network(state, images, dropout)
                return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

            loss, gradients = jax.value_and_grad(loss_of)(state)
            changes, momentum = optimizer.update(gradients, momentum)
            return optax.apply_updates(state, changes), momentum, key, loss

        @jax.jit
        def answer(state, images, labels):
            logits = network(state, images, None)
            losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
            return losses.sum(), (logits.argmax(1) == labels).sum()

        self._step, self._answer = step, answer

    def prepare(self, images, labels):
        """A batch as the other methods take it, from arrays."""
        images = jnp.asarray(images)
        return images if self.order == "NCHW" else images.transpose(0, 2, 3, 1), jnp.asarray(labels)

    def step(self, images, labels):
        """Take a training step; return the loss."""
        self.state, self.momentum, self.key, loss = self._step(self.state, self.momentum, self.key, images, labels)
        return float(loss)

    def answer(self, images, labels):
        """The sum of the losses and the number of right answers, without dropout."""
        loss, hits = self._answer(self.state, images, labels)
        return float(loss), int(hits)
