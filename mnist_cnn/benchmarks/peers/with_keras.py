"""A network and its train step in Keras 3 on TensorFlow: one tf.function."""

import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf
from keras import layers as L

VERSION = "Keras {} on TensorFlow {}".format(keras.__version__, tf.__version__)
CONTENDERS = {"Keras on TensorFlow": dict()}


def pool(x, size, stride, mode, ceil):
    """Pooling; an average leaves out what lies outside of the image."""
    layer = L.MaxPooling2D if mode == "max" else L.AveragePooling2D
    return layer(size, stride, padding="same" if ceil else "valid")(x)


def conv(x, filters, size, stride, pad, bias):
    """A convolution; TensorFlow's own padding is not symmetric where there is a stride."""
    if pad and stride == 1 and size == 2 * pad + 1:
        return L.Conv2D(filters, size, padding="same", use_bias=bias)(x)
    return L.Conv2D(filters, size, stride, use_bias=bias)(L.ZeroPadding2D(pad)(x) if pad else x)


#: From a kind of layer to a function of what is below and its settings: `mnist_cnn.benchmarks.networks`.
BUILDERS = {
    "conv": conv,
    "pool": pool,
    "relu": lambda x: L.ReLU()(x),
    "tanh": lambda x: L.Activation("tanh")(x),
    "batch_norm": lambda x: L.BatchNormalization(momentum=0.9, epsilon=1e-4)(x),
    "dropout": lambda x, rate: L.Dropout(rate)(x),
    "flatten": lambda x: L.Flatten()(x),
    "global_average": lambda x: L.GlobalAveragePooling2D()(x),
    "dense": lambda x, units: L.Dense(units)(x),
    "sum": lambda x, branches: L.Add()([build(x, branch) for branch in branches]),
}


def build(x, layers):
    """The layers' result for `x`."""
    for kind, settings in layers:
        x = BUILDERS[kind](x, **settings)
    return x


class Contender:
    """A network with its train step and its answers."""

    def __init__(self, layers, shape):
        channels, rows, columns = shape
        inputs = keras.Input((rows, columns, channels))
        network = keras.Model(inputs, build(inputs, layers))
        self.parameters = sum(weight.shape.num_elements() for weight in network.trainable_variables)
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9, nesterov=True)
        optimizer.build(network.trainable_variables)

        def losses(logits, labels):
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

        @tf.function
        def step(images, labels):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(losses(network(images, training=True), labels))
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer.apply_gradients(zip(gradients, network.trainable_variables))
            return loss

        @tf.function
        def answer(images, labels):
            logits = network(images, training=False)
            hits = tf.equal(tf.argmax(logits, 1, tf.int32), labels)
            return tf.reduce_sum(losses(logits, labels)), tf.reduce_sum(tf.cast(hits, tf.int32))

        self._step, self._answer = step, answer

    def prepare(self, images, labels):
        """A batch as the other methods take it, from arrays."""
        return tf.constant(images.transpose(0, 2, 3, 1)), tf.constant(labels)

    def step(self, images, labels):
        """Take a training step; return the loss."""
        return float(self._step(images, labels))

    def answer(self, images, labels):
        """The sum of the losses and the number of right answers, without dropout."""
        loss, hits = self._answer(images, labels)
        return float(loss), int(hits)
