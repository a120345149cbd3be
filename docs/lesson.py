# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A network that learns to read digits, and shows what it has learned
#
# In this lesson you build a small *convolutional neural network* (CNN), train it on 50,000
# handwritten digits until it reads 98.9 % of new ones correctly, and then look inside it. Order
# and network are those of an old tutorial, [Handwritten digit recognition with a CNN using
# Lasagne](https://www.simonho.ca/machine-learning/mnist-cnn-lasagne/).
#
# - **Part 1: classify.** Data, minibatches, network, loss, training.
# - **Part 2: see.** The kernels and feature maps, and one step beyond in each direction.
#
# You need Python and a little NumPy: arrays, their shapes, slices. You need no earlier knowledge
# of neural networks.
#
# Run the cells from top to bottom with Shift+Enter. The whole lesson computes for about a minute.
# The first time, Theano also compiles C++ for your machine, which takes a minute more.
#
# Every section ends with something to **try** and with a **question**. Some questions have a cell
# that checks your answer; the other answers are folded away. Think first, then look.

# %% [markdown]
# ## Before we start
#
# Three libraries do the work. *NumPy* holds the data. *Theano* takes formulas, finds their
# derivatives and compiles them to machine code. *Lasagne* builds layers of a network out of Theano
# formulas. Lasagne's last release is of 2015 and Theano's of 2020; importing `mnist_cnn` first
# makes them run on today's Python.

# %%
import mnist_cnn  # first: it mends Theano and Lasagne
import lasagne
import matplotlib.pyplot as plt
import numpy as np
import theano
import theano.tensor as T

theano.config.floatX = "float32"  # single precision is enough, and twice as fast

# %% [markdown]
# The network starts from random numbers, and the digits come in random order. We fix the seed of
# the random numbers, so that your results are nearly the ones printed here.

# %%
rng = np.random.RandomState(1)
lasagne.random.set_rng(rng)


# %% [markdown]
# This function checks your answers. Some cells say `my_answer = None`. Write your number in place
# of `None` and run the cell again.

# %%
def check(my_answer, right):
    if my_answer is None:
        print("No answer yet.")
    elif abs(my_answer - right) < .005:
        print("Right!")
    else:
        print("Not yet. Think again.")


# %% [markdown]
# # Part 1: classify
#
# ## 1. The data
#
# MNIST has 70,000 handwritten digits: 60,000 for training and 10,000 for the test. It comes in
# four files, which the package brings along: images and labels of each part.

# %%
import gzip
from pathlib import Path

folder = Path(mnist_cnn.__file__).parent / "mnist"
for file in sorted(folder.glob("*.gz")):
    print(file.name, file.stat().st_size, "bytes")

# %% [markdown]
# The files are compressed. Let us unpack one, and look at its first 16 bytes.

# %%
content = gzip.open(folder / "train-images-idx3-ubyte.gz").read()
content[:16].hex(" ")

# %% [markdown]
# This is the header of the *IDX* format. `08` says that each number is one byte, `03` that the
# array has three dimensions. Then each dimension follows as a number of four bytes, the highest
# byte first. We can let Python read them: `>4i` means four such numbers.

# %%
import struct

struct.unpack(">4i", content[:16])

# %% [markdown]
# 60,000 images of 28 rows and 28 columns. The rest of the file is pixels, row by row.

# %%
pixels = np.frombuffer(content, np.uint8, offset=16).reshape(60000, 28, 28)
for row in pixels[0, 4:26, 5:25]:
    print("".join("{:4d}".format(pixel) for pixel in row))

# %% [markdown]
# 0 is black and 255 is white. You can nearly read the digit in the numbers. As a picture:

# %%
plt.figure(figsize=(3, 3))
plt.imshow(pixels[0], cmap="gray")
plt.show()

# %% [markdown]
# The file of labels is similar, with one dimension and a header of 8 bytes.

# %%
content = gzip.open(folder / "train-labels-idx1-ubyte.gz").read()
labels = np.frombuffer(content, np.uint8, offset=8)
print(labels[:10])

# %% [markdown]
# For the network we want numbers between 0 and 1, and a shape of four axes: (images, channels,
# rows, columns). A grey image has one channel, a colour image three.

# %%
X = pixels.reshape(60000, 1, 28, 28) / np.float32(256)
y = labels.astype(np.int32)
print(X.shape, X.dtype, X.min(), X.max())

# %% [markdown]
# We hold the last 10,000 images back for **validation**. Why? A network can learn its training
# images by heart (*overfitting*), so its success there says little. And when we choose between
# settings, say two learning rates, we take the one that does better on some set. From then on its
# result on that set is a little too good, because we have chosen it for that. So there are three
# sets:
#
# - *training*: the network learns from it,
# - *validation*: we watch it, and choose by it,
# - *test*: we look at it once, at the end.

# %%
X_train, X_val = X[:-10000], X[-10000:]
y_train, y_val = y[:-10000], y[-10000:]

# %% [markdown]
# One function of the package does all this, for the test set too. It reads the same data:

# %%
from mnist_cnn.data import load_dataset

dataset = load_dataset()
assert np.array_equal(dataset[0], X_train)
X_test, y_test = dataset[4], dataset[5].astype(np.int32)

figure, axes = plt.subplots(2, 8, figsize=(9, 2.8))
for ax, image, label in zip(axes.flat, X_test, y_test):
    ax.imshow(image[0], cmap="gray")
    ax.set_title(label)
    ax.axis("off")

# %% [markdown]
# **Try.** Show other digits. Find one that you cannot read yourself.
#
# **Question.** How many bytes has the unpacked file of the 10,000 test images, with its header?

# %%
my_answer = None
check(my_answer, len(gzip.open(folder / "t10k-images-idx3-ubyte.gz").read()))


# %% [markdown]
# ## 2. Minibatches
#
# Training goes in steps. In each step the network looks at some images, and every weight moves a
# little in the direction that makes the error on these images smaller. With all 50,000 images a
# step would be exact but slow. With one image it would be fast but nearly random. A *minibatch* of
# 50 is between: its direction is mostly right, and one pass through the data, an *epoch*, has
# 1,000 steps.
#
# The images come in a new random order in each epoch, so that the minibatches differ each time.

# %%
def iterate_minibatches(inputs, targets, batchsize, shuffle=False):
    order = np.arange(len(inputs))
    if shuffle:
        rng.shuffle(order)
    for start in range(0, len(inputs) - batchsize + 1, batchsize):
        chosen = order[start:start + batchsize]
        yield inputs[chosen], targets[chosen]


# %%
for inputs, targets in iterate_minibatches(X_train, y_train, 50, shuffle=True):
    print(inputs.shape, targets.shape, targets[:10])
    break

# %% [markdown]
# **Try.** Print the first targets with `shuffle=False`, twice. Then with `shuffle=True`, twice.
#
# **Question.** With batches of 64, how many steps has an epoch? (The function drops a last batch
# that is not full.)

# %%
my_answer = None
check(my_answer, len(list(iterate_minibatches(X_train, y_train, 64))))


# %% [markdown]
# ## 3. The network
#
# ### Why a convolution?
#
# An image is 784 numbers. We could connect every pixel with every unit of the next layer. But a
# stroke looks the same wherever it is, and such a layer would have to learn it for each place
# anew. A *convolution* has one small window of weights, the *kernel* (or *filter*). It slides over
# the image, and at each place it gives one number: the sum of the pixels below it, each multiplied
# by the weight above it. Here it is, written out:

# %%
def slide(kernel, image):
    size = len(kernel)
    side = len(image) - size + 1
    result = np.zeros((side, side))
    for row in range(side):
        for column in range(side):
            window = image[row:row + size, column:column + size]
            result[row, column] = np.sum(kernel * window)
    return result


# %% [markdown]
# A kernel by hand: negative on the left, positive on the right. It answers strongly where dark
# becomes bright from left to right, and negatively where bright becomes dark.

# %%
kernel = np.array([[-1, -1, 0, 1, 1]] * 5)
answer = slide(kernel, X_train[0, 0])

figure, axes = plt.subplots(1, 3, figsize=(8, 2.8))
for ax, picture, title in zip(axes, (X_train[0, 0], kernel, answer), ("image", "kernel", "answer")):
    ax.imshow(picture, cmap="gray")
    ax.set_title("{}: {} x {}".format(title, *picture.shape))
    ax.axis("off")

# %% [markdown]
# So a convolution has two advantages. It recognizes a pattern at all places when it has learned it
# at one. And it has few weights: 25 for a kernel, plus one number, the *bias*, that is added to
# the sum. The network will not use our kernel. It learns its own.
#
# (Theano, like mathematics, turns the kernel by 180 degrees first. For learned kernels it makes no
# difference, but we shall remember it when we look at them.)

# %% [markdown]
# ### Layer by layer
#
# The input is a *symbolic variable*: a name in a formula, without a value yet. It stands for a
# batch of images, of any size (`None`).

# %%
from lasagne.layers import Conv2DLayer, DenseLayer, DropoutLayer, InputLayer, MaxPool2DLayer
from lasagne.nonlinearities import rectify, softmax

input_var = T.tensor4("inputs")
target_var = T.ivector("targets")

inputs_layer = InputLayer((None, 1, 28, 28), input_var)

# %% [markdown]
# The first convolution: 32 kernels of 5 x 5. Each makes one *feature map*. `rectify` replaces
# negative numbers with zero; without something like it, several layers could do no more than one.
# `W` says how the weights are drawn at the start.

# %%
conv1 = Conv2DLayer(inputs_layer, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                    W=lasagne.init.GlorotUniform())
conv1.output_shape

# %% [markdown]
# *Max-pooling* keeps the largest of each 2 x 2 numbers. The maps become half as wide and half as
# high. It matters less where exactly something was found, and there is less to compute.

# %%
pool1 = MaxPool2DLayer(conv1, pool_size=(2, 2))
pool1.output_shape

# %% [markdown]
# What happens when two of the four numbers are equally large? For the result, nothing special. For
# learning, it matters: the error must be passed back to the number that won. Theano passes it to
# *all* that tie. (Other libraries choose one of them.) We can ask for the derivative:

# %%
four = T.tensor4()
largest = lasagne.layers.get_output(MaxPool2DLayer(InputLayer((1, 1, 2, 2), four), 2))
derivative = theano.function([four], T.grad(largest.sum(), four))
print(derivative(np.float32([[[[3, 1], [0, 2]]]])))
print(derivative(np.float32([[[[3, 3], [0, 2]]]])))

# %% [markdown]
# Ties are not rare. In the black parts of an image all windows look the same, so all four numbers
# tie there.
#
# Then the same again: a second convolution and a second pooling. The second kernels read all 32
# maps of the first, so they can find patterns of patterns: corners, arcs, ends of strokes.

# %%
conv2 = Conv2DLayer(pool1, num_filters=32, filter_size=(5, 5), nonlinearity=rectify,
                    W=lasagne.init.GlorotUniform())
pool2 = MaxPool2DLayer(conv2, pool_size=(2, 2))
pool2.output_shape

# %% [markdown]
# Now 32 maps of 4 x 4 are left, 512 numbers. A *dense* layer connects each of them with each of
# 256 units.
#
# But first comes **dropout**. In training it sets each number to zero with probability one half,
# anew in every step, and doubles the others, so that the sum stays about the same. The network
# cannot rely on any single number and has to learn several reasons for its answer. So it learns
# less by heart. When we measure or use the network, `deterministic=True` turns dropout off. On ten
# ones:

# %%
ones = T.matrix()
dropped = DropoutLayer(InputLayer((None, 10), ones), p=.5)
in_training = lasagne.layers.get_output(dropped)
in_use = lasagne.layers.get_output(dropped, deterministic=True)
print(in_training.eval({ones: np.ones((3, 10), np.float32)}))
print(in_use.eval({ones: np.ones((1, 10), np.float32)}))

# %%
dense = DenseLayer(DropoutLayer(pool2, p=.5), num_units=256, nonlinearity=rectify)
dense.output_shape

# %% [markdown]
# The last layer has ten units, one for each digit, whose weighted sums we call *scores*. `softmax`
# turns scores into probabilities: numbers above 0 that sum to 1. It takes the exponential of each
# score and divides by the sum:

# %%
scores = np.array([1, 2, 5])
np.exp(scores) / np.exp(scores).sum()

# %%
network = DenseLayer(DropoutLayer(dense, p=.5), num_units=10, nonlinearity=softmax)
network.output_shape

# %% [markdown]
# That is the whole network. A table of its layers:

# %%
for layer in lasagne.layers.get_all_layers(network):
    numbers = sum(parameter.get_value().size for parameter in layer.params)
    print("{:16}{:20}{:>9,} parameters".format(
        type(layer).__name__, str(layer.output_shape[1:]), numbers))
print("{:36}{:>9,} parameters".format("", lasagne.layers.count_params(network)))

# %% [markdown]
# The package draws the same table. `layer_rows` collects the rows, `plot_architecture` draws them.

# %%
from mnist_cnn.analysis.architecture import layer_rows
from mnist_cnn.analysis.plots import plot_architecture

plot_architecture(layer_rows(network))

# %% [markdown]
# **Try.** Build the network with kernels of 3 x 3 and look at the shapes. Then go back to 5 x 5.
#
# **Question 1.** How many parameters would the first convolution have with 64 kernels of 3 x 3?

# %%
my_answer = None
wider = Conv2DLayer(inputs_layer, num_filters=64, filter_size=(3, 3))
check(my_answer, sum(parameter.get_value().size for parameter in wider.params))

# %% [markdown]
# **Question 2.** A window of the pooling lies on a black part of the image: `[[0, 0], [0, 0]]`.
# Which derivative does each of its four numbers get?
#
# <details><summary>Answer</summary>
#
# 1 each, since all four tie for the largest. Check it with `derivative(np.zeros((1, 1, 2, 2),
# np.float32))`.
#
# </details>

# %% [markdown]
# ## 4. The loss, and how to make it smaller
#
# The network gives ten probabilities. How wrong is it? We look at the probability $p$ of the right
# digit and take $-\log p$, the *cross-entropy*: 0 when the network is sure and right, and large
# when it is sure and wrong. The *loss* is the mean over the minibatch.
#
# `get_output` gives the network's formula. Nothing is computed yet.

# %%
prediction = lasagne.layers.get_output(network)
loss = lasagne.objectives.categorical_crossentropy(prediction, target_var).mean()
accuracy = T.mean(T.eq(T.argmax(prediction, axis=1), target_var))

# %% [markdown]
# The *gradient* of the loss says for each of the 160,362 parameters how the loss changes when that
# parameter grows. *Gradient descent* moves each parameter a little against its gradient.
# *Momentum* keeps a part of the last movement, like a ball that rolls: steps that agree add up,
# steps that contradict cancel out. With the learning rate $\eta = 0.01$ and the momentum $m = 0.9$
# a step is
#
# $$v \leftarrow m\,v - \eta \frac{\partial L}{\partial w}, \qquad w \leftarrow w + v.$$
#
# *Nesterov's* momentum looks one movement ahead: it uses $w \leftarrow w + m\,v - \eta\,\partial L
# / \partial w$ with the new $v$. Theano derives the gradient from the formula; Lasagne makes the
# list of updates.

# %%
params = lasagne.layers.get_all_params(network, trainable=True)
updates = lasagne.updates.nesterov_momentum(loss, params, learning_rate=0.01, momentum=0.9)
len(params), len(updates)

# %% [markdown]
# For validation and test we want the whole network, so we need the formulas once more without
# dropout.

# %%
test_prediction = lasagne.layers.get_output(network, deterministic=True)
test_loss = lasagne.objectives.categorical_crossentropy(test_prediction, target_var).mean()
test_accuracy = T.mean(T.eq(T.argmax(test_prediction, axis=1), target_var))

# %% [markdown]
# **Try.** Print one layer's formula: `print(theano.pprint(lasagne.layers.get_output(conv1)))`.
# Look for the convolution, for the bias, and for the rectifier, which Lasagne writes as
# $\frac{1}{2} (x + |x|)$.
#
# **Question.** A network that knows nothing gives each of the ten digits the same probability.
# What is its loss?

# %%
my_answer = None
check(my_answer, -np.log(1 / 10))

# %% [markdown]
# ## 5. Two compiled functions
#
# `theano.function` turns formulas into a function. It takes the inputs, the results to return and,
# for training, the updates. `train_fn` takes a step; `val_fn` only measures. Compiling takes some
# seconds, and longer the first time.

# %%
train_fn = theano.function([input_var, target_var], [loss, accuracy], updates=updates)
val_fn = theano.function([input_var, target_var], [test_loss, test_accuracy])

# %% [markdown]
# The untrained network guesses, as in the last question: a loss near $\log 10 = 2.303$, and about
# one digit in ten is right.

# %%
val_fn(X_val[:1000], y_val[:1000])

# %% [markdown]
# Does it learn? We save the start first: the parameters and their movements, everything that
# `updates` changes. Then we take 20 steps on the same ten digits, and print the loss on just these
# before and after:

# %%
start = [variable.get_value() for variable in updates]
print(val_fn(X_train[:10], y_train[:10]))
for step in range(20):
    train_fn(X_train[:10], y_train[:10])
print(val_fn(X_train[:10], y_train[:10]))

# %% [markdown]
# The network has learned ten digits, which is not much. We set everything back and train it in
# earnest.

# %%
for variable, value in zip(updates, start):
    variable.set_value(value)

# %% [markdown]
# **Try.** Change the 20 steps to 100. How small does the loss become? Then run the cell that sets
# everything back once more.
#
# **Question.** After those steps the loss on the ten digits is small. Why is that no sign of a
# good network?
#
# <details><summary>Answer</summary>
#
# These ten are training digits, and the network may know them by heart. Measure it on digits that
# it has never seen: put `val_fn(X_val[:1000], y_val[:1000])` after the steps. It is much worse.
#
# </details>

# %% [markdown]
# ## 6. The loop
#
# Now the parts come together: one step for each minibatch of each epoch, and the validation after
# the epoch. We also want to watch. This function draws two curves: the training loss, each point
# the mean of 250 steps, and the validation after each epoch.

# %%
def draw_curves(left, right, train_losses, val_losses, val_accuracies):
    epochs = range(1, len(val_losses) + 1)
    left.clear()
    left.plot(np.arange(1, len(train_losses) + 1) / 4, train_losses, ".-",
              label="training, with dropout")
    left.plot(epochs, val_losses, "o-", label="validation")
    left.set(xlabel="epoch", ylabel="loss", xlim=(0, num_epochs + .2), ylim=0)
    left.legend()
    right.clear()
    right.plot(epochs, 100 * np.array(val_accuracies), "o-", color="C1")
    right.set(xlabel="epoch", ylabel="validation accuracy [%]", xlim=(0, num_epochs + .2),
              ylim=(97, 100))


# %% [markdown]
# `display` with `display_id=True` shows a figure once and returns a handle. `update` on the handle
# draws it anew in the same place: the curve grows while the network learns.

# %%
num_epochs = 5
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
screen = display(figure, display_id=True)
train_losses, val_losses, val_accuracies = [], [], []

for epoch in range(num_epochs):
    steps = []
    for inputs, targets in iterate_minibatches(X_train, y_train, 50, shuffle=True):
        steps.append(train_fn(inputs, targets))
        if len(steps) % 250 == 0:
            train_losses.append(np.mean(steps[-250:], axis=0)[0])
            draw_curves(left, right, train_losses, val_losses, val_accuracies)
            screen.update(figure)
    measured = [val_fn(*batch) for batch in iterate_minibatches(X_val, y_val, 500)]
    val_loss, val_accuracy = np.mean(measured, axis=0)
    val_losses.append(val_loss)
    val_accuracies.append(val_accuracy)
    print("Epoch {} of {}: training loss {:.4f}, validation loss {:.4f}, accuracy {:.2f} %".format(
        epoch + 1, num_epochs, np.mean(steps, axis=0)[0], val_loss, 100 * val_accuracy))

draw_curves(left, right, train_losses, val_losses, val_accuracies)
screen.update(figure)
plt.close(figure)  # it has been shown

# %% [markdown]
# All choices are made, so we may look at the test set: 10,000 digits that the network has never
# seen.

# %%
measured = [val_fn(*batch) for batch in iterate_minibatches(X_test, y_test, 500)]
loss_on_test, accuracy_on_test = np.mean(measured, axis=0)
print("Test loss: {:.4f}, test accuracy: {:.2f} %".format(loss_on_test, 100 * accuracy_on_test))

# %% [markdown]
# About one digit in a hundred is wrong. We keep the weights, in a file that any program with NumPy
# can read:

# %%
np.savez("lesson.npz", *lasagne.layers.get_all_param_values(network))

# %% [markdown]
# `mnist_cnn.train.main` does all that you have done so far, in one call: data, network, loss,
# updates, functions, loop, and it saves the weights. One epoch of it:

# %%
from mnist_cnn.train import main

weights = main(num_epochs=1, batch_size=50, seed=1, output="main.npz")

# %% [markdown]
# **Try.** Train five more epochs (run the loop again: the network goes on from where it is). Try a
# learning rate of 0.001, and of 1; run from section 3 on for a fresh network.
#
# **Question.** The training loss is larger than the validation loss, though the network knows the
# training digits. Why?
#
# <details><summary>Answer</summary>
#
# For two reasons. In training half of the numbers before each dense layer are missing, so the
# network works under harder conditions. And the training loss is a mean over the epoch, so it
# includes the earlier, worse network, while validation comes at the epoch's end. To see the first
# reason alone, measure the training digits without dropout: `np.mean([val_fn(*batch) for batch in
# iterate_minibatches(X_train, y_train, 500)], axis=0)`.
#
# </details>

# %% [markdown]
# # Part 2: see what it has learned
#
# ## 7. The kernels
#
# The 32 kernels of the first layer have become pictures of 5 x 5 pixels, and we can look at them.

# %%
kernels = conv1.W.get_value()
kernels.shape

# %%
figure, axes = plt.subplots(6, 6, figsize=(6, 6))
for ax in axes.flat:
    ax.axis("off")
for ax, kernel in zip(axes.flat, kernels):
    ax.imshow(kernel[0], cmap="gray")

# %% [markdown]
# At the start they were noise. Now many of them are bright on one side and dark on the other: they
# look for edges and strokes, each in its own direction, like our kernel in section 3. Nobody told
# the network to do so. It found that edges help.
#
# Grey hides which weights are positive and which are negative. `plot_kernels` of the package draws
# the same kernels with orange for positive and blue for negative, and all at one scale. These are
# the arrays as they are stored. Theano turns them by 180 degrees before it slides them over the
# image, so a kernel finds the pattern that it shows, upside down. The package's other figures and
# its explorer page show `kernels[..., ::-1, ::-1]`, which look like the patterns that they find.

# %%
from mnist_cnn.visualize import plot_kernels

plot_kernels(kernels, diverging=True)

# %% [markdown]
# **Try.** Draw the kernels of an untrained network: build a new `conv1` and show its `W`.
#
# **Question.** Which kernel has the strongest weights, measured by the sum of their squares? Find
# its number in the picture first; the numbers start at 0.

# %%
my_answer = None
check(my_answer, (kernels ** 2).sum(axis=(1, 2, 3)).argmax())

# %% [markdown]
# ## 8. The feature maps
#
# A kernel slides over the image and makes a *feature map*. We compute the 32 maps of one digit
# with Theano's convolution, before bias and rectifier.

# %%
digit = X_test[:1]
convolve = theano.function([input_var], T.nnet.conv2d(input_var, conv1.W))
maps = convolve(digit)[0]
maps.shape

# %%
figure, axes = plt.subplots(6, 6, figsize=(6, 6))
for ax in axes.flat:
    ax.axis("off")
for ax, feature_map in zip(axes.flat, maps):
    ax.imshow(feature_map, cmap="gray")

# %% [markdown]
# Each map keeps something else of the seven: its upper stroke, its slanting stroke, the left or
# the right edge of it. Compare a map with the kernel at the same place above, and remember that
# Theano turns kernels by 180 degrees. Our own `slide` agrees when we turn the kernel too:

# %%
by_hand = slide(kernels[0, 0, ::-1, ::-1], digit[0, 0])
np.allclose(by_hand, maps[0], atol=1e-4)

# %% [markdown]
# **Try.** Look at the maps of another digit. Which maps answer to horizontal strokes?
#
# **Question.** Why are the maps 24 x 24, while the image is 28 x 28?
#
# <details><summary>Answer</summary>
#
# A kernel of 5 x 5 that stays within the image has 28 - 5 + 1 = 24 places in each direction. With
# `pad="same"` Lasagne adds a black frame of two pixels, and the maps keep 28 x 28.
#
# </details>


# %% [markdown]
# ## 9. One step deeper: the second layer
#
# The second kernels read maps, not pixels, so their weights tell us little. Instead we ask: which
# pieces of real digits excite a filter most? We compute its maps for 2,000 test digits.

# %%
find = theano.function([input_var], lasagne.layers.get_output(conv2))
found = find(X_test[:2000])
found.shape

# %% [markdown]
# How large is the piece that one number of these maps depends on? It reads 5 x 5 numbers of the
# pooled maps. Those come from 10 x 10 numbers before the pooling, and these from 14 x 14 pixels,
# for the first kernel adds 4. One place further is two pixels further, because of the pooling. So
# the number at (row, column) sees the pixels from (2 row, 2 column) on.

# %%
def strongest_pieces(number, count=9):
    answers = found[:, number].reshape(len(found), 64)
    best_digits = np.argsort(-answers.max(axis=1))[:count]
    pieces = []
    for i in best_digits:
        row, column = divmod(answers[i].argmax(), 8)
        pieces.append(X_test[i, 0, 2 * row:2 * row + 14, 2 * column:2 * column + 14])
    return pieces


# %%
figure, axes = plt.subplots(8, 9, figsize=(6, 5.6))
for number, row_of_axes in enumerate(axes):
    for ax, piece in zip(row_of_axes, strongest_pieces(number)):
        ax.imshow(piece, cmap="gray", vmin=0, vmax=1)
        ax.set_xticks([])
        ax.set_yticks([])
    row_of_axes[0].set_ylabel(number)

# %% [markdown]
# Each row is one filter. In most rows the nine pieces are alike: a filter of the second layer
# looks for one thing, such as a corner, an arc, or the end of a stroke.
#
# **Try.** Show the other 24 filters. Give names to those you recognise.
#
# **Question.** How many pixels wide is the piece that a number *after the second pooling* sees?

# %%
from mnist_cnn.analysis.patches import receptive_field

my_answer = None
rows, columns = receptive_field(pool2, 0, 0)
check(my_answer, columns.stop - columns.start)

# %% [markdown]
# ## 10. Why this answer?
#
# For single answers we need a third function, which returns the ten probabilities.

# %%
predict_fn = theano.function([input_var], test_prediction)
probabilities = np.concatenate([predict_fn(inputs) for inputs, _ in
                                iterate_minibatches(X_test, y_test, 500)])
answers = probabilities.argmax(axis=1)
mistakes = np.flatnonzero(answers != y_test)
len(mistakes)

# %% [markdown]
# The mistakes with the highest probability, each with its label and the network's answer:

# %%
sure = mistakes[np.argsort(-probabilities[mistakes].max(axis=1))]
figure, axes = plt.subplots(2, 6, figsize=(8, 3.4))
for ax, i in zip(axes.flat, sure):
    ax.imshow(X_test[i, 0], cmap="gray")
    ax.set_title("{}, not {}".format(y_test[i], answers[i]))
    ax.axis("off")

# %% [markdown]
# Would you have known them all? Which part of the image led the network there? A simple way to
# find out: hide a square of 5 x 5 pixels, at each place in turn, and see how the probability
# changes. The hidden part spoke for the answer if the probability falls.

# %%
def hide_and_ask(image, number):
    copies = np.repeat(image[np.newaxis], 24 * 24, axis=0)
    for place in range(24 * 24):
        row, column = divmod(place, 24)
        copies[place, 0, row:row + 5, column:column + 5] = 0
    return predict_fn(copies)[:, number].reshape(24, 24)


# %%
figure, axes = plt.subplots(2, 4, figsize=(8.5, 4.4))
for (upper, lower), i in zip(axes.T, [1, 9, sure[0], sure[1]]):
    upper.imshow(X_test[i, 0], cmap="gray")
    upper.set_title("{}; answer: {}".format(y_test[i], answers[i]))
    drawn = lower.imshow(hide_and_ask(X_test[i], answers[i]), vmin=0, vmax=1)
    upper.axis("off")
    lower.axis("off")
figure.colorbar(drawn, ax=axes, label="probability with the square hidden")
plt.show()

# %% [markdown]
# The lower picture is dark at the places whose hiding takes the answer away.
#
# Other ways to ask the same are in `mnist_cnn.analysis.attribution`: the gradient of the score
# with respect to each pixel, and its integral along the way from a black image.
#
# **Try.** Ask about the *right* class of a mistake: `hide_and_ask(X_test[i], y_test[i])`. Is there
# a stroke without which the network would have been right?
#
# **Question.** A digit is black in its corners. Hiding a black corner changes nothing. So does a
# black pixel never count?
#
# <details><summary>Answer</summary>
#
# It counts: an empty place tells a 1 from a 7, or an open 4 from a 9. Hiding with black cannot
# show it. Hide with white instead: put 1 in place of 0 in `hide_and_ask`, and see that the
# probability falls at empty places too.
#
# </details>

# %% [markdown]
# ## 11. A better recipe
#
# Can the same network learn more? Yes, with more varied digits. We may turn, stretch and shift
# each image a little in every step: a seven stays a seven. Twelve versions of one digit, as
# `mnist_cnn.training.distortions` makes them:

# %%
from mnist_cnn.training.distortions import DISTORTIONS, distortions

augment = distortions(**DISTORTIONS)
versions = augment(np.repeat(X_train[:1], 12, axis=0), np.random.default_rng(1))
figure, axes = plt.subplots(1, 12, figsize=(9, 1))
for ax, image in zip(axes, versions):
    ax.imshow(image[0], cmap="gray")
    ax.axis("off")

# %% [markdown]
# The recipe `best` distorts half of each minibatch in this way. It also begins with larger steps
# and ends with tiny ones, drops fewer numbers, and keeps an average of the last weights. All these
# were chosen on the validation digits. The `main` of `mnist_cnn.training.trainer` is the one of
# `mnist_cnn.train` with such options; it also saves the weights after each epoch, and on an
# interruption (the square button, or Kernel > Interrupt).

# %%
from mnist_cnn.training.trainer import main

weights = main(recipe="best", num_epochs=5, seed=1, output="best.npz", quiet=True)

# %% [markdown]
# About half as many mistakes, with the same network. More epochs bring it further: 99.6 % after
# 50.
#
# **Try.** `main(recipe="fast")` needs only two epochs. Other settings are arguments of `main`, as
# `learning_rate=.02` or `dropout=.2`; `help(main)` names them.
#
# **Question.** Which of these would be a bad distortion for digits: to turn by 10 degrees, to
# mirror, to make it wider?
#
# <details><summary>Answer</summary>
#
# To mirror. A mirrored 2 is not a 2, and the network would learn to accept shapes that nobody
# writes. A distortion must not change the digit's meaning. Turning by 10 degrees keeps it; turning
# by 180 degrees makes a 6 of a 9.
#
# </details>

# %% [markdown]
# ## 12. Your own handwriting
#
# Write a digit on white paper, take a photo, and put the file beside this notebook. Here we draw a
# seven with a few lines of Pillow instead, dark on white, as a pen does:

# %%
from PIL import Image, ImageDraw

paper = Image.new("L", (300, 200), 235)
ImageDraw.Draw(paper).line([(120, 50), (190, 46), (150, 165)], fill=50, width=13, joint="curve")
paper.save("my_digit.png")

# %% [markdown]
# The network knows only images like MNIST's: white on black, the digit in a box of 20 x 20 pixels,
# its centre of mass in the middle. `load_picture` brings a picture to that form. We put it through
# our network.

# %%
from mnist_cnn.pictures.reading import load_picture

mine = load_picture("my_digit.png")
chances = predict_fn(mine[np.newaxis])[0]

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 2.6), layout="constrained")
left.imshow(paper, cmap="gray", vmin=0, vmax=255)
middle.imshow(mine[0], cmap="gray")
right.bar(range(10), chances)
right.set(xticks=range(10), ylim=(0, 1), ylabel="probability")
print("I read a", chances.argmax())

# %% [markdown]
# **Try.** Your own digit. Then make it hard: a 7 with and without a bar, a 1 with a foot, a
# letter.
#
# **Question.** Show the network a letter. What does it answer, and why can it not say "this is not
# a digit"?
#
# <details><summary>Answer</summary>
#
# It gives ten probabilities that sum to 1, so it must name a digit, and it may even be sure. It
# has never seen anything but digits. `scripts/predict.py` therefore marks an answer as unsure when
# the picture is unlike the validation digits.
#
# </details>

# %% [markdown]
# ## 13. Clothes instead of digits
#
# *Fashion-MNIST* has images of clothes in the same form: 60,000 and 10,000 of them, 28 x 28
# pixels, ten classes. The same program learns them. `load_dataset` takes the name of a data set;
# missing files are downloaded once (30 MB). Without a connection it raises an error, and we go on
# without clothes.

# %%
from mnist_cnn.system.errors import MnistCnnError

try:
    fashion = load_dataset(dataset="fashion-mnist")
except MnistCnnError as error:
    fashion = None
    print(error)

# %% [markdown]
# The result of `load_dataset` also has the names of the classes.

# %%
if fashion is not None:
    figure, axes = plt.subplots(2, 6, figsize=(9, 3.6))
    for ax, image, label in zip(axes.flat, fashion[4], fashion[5]):
        ax.imshow(image[0], cmap="gray")
        ax.set_title(fashion.card.classes[label])
        ax.axis("off")

# %%
if fashion is not None:
    weights = main(dataset="fashion-mnist", num_epochs=2, seed=1, output="fashion.npz")

# %% [markdown]
# Clothes are harder than digits: even after many epochs this network is wrong at about one in ten.
# A shirt is easily a T-shirt, a pullover or a coat.
#
# **Try.** `recipe="best"`, and more epochs. Or colour: `main(dataset="cifar10",
# output="colour.npz")` downloads 170 MB of small photographs of animals and vehicles. The images
# have three channels, and so have the kernels: `weights[0].shape`.
#
# **Question.** The recipe `best` was chosen for digits. For clothes, mirroring is a good
# distortion. Why here and not there?
#
# <details><summary>Answer</summary>
#
# A mirrored coat is a coat. The right distortions depend on the meaning of the classes.
#
# </details>
#
# ## Where to go from here
#
# - `python scripts/visualize.py docs/lesson.npz --all` draws 18 figures of your network, and a
#   page that says what to look for.
# - `python scripts/explore.py docs/lesson.npz` makes a page on which you draw digits and watch the
#   network think.
# - `mnist_cnn/train.py` is Part 1 as a program.
