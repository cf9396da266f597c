// What help() says of the methods and attributes of tensors. The examples run (tests/test_docstrings.py).
#pragma once

namespace tw::doc {

// --- tensor.cpp

constexpr const char* shape = R"(The extents, one per axis.

A tuple of ints, for every dtype.

>>> tw.tensor(np.zeros((2, 3))).shape
(2, 3))";

constexpr const char* strides = R"(How many bytes the next element along each axis is away; ``stride()`` counts elements.

A tuple of ints, which may be negative, or 0 where several elements are one.

>>> tw.tensor(np.zeros((2, 3))).strides
(24, 8))";

constexpr const char* dtype = R"(The element type.

One of ``tw.float32`` and the others; ``to(dtype)`` converts.

>>> tw.tensor(np.zeros(2, np.float32)).dtype is tw.float32
True)";

constexpr const char* nbytes = R"(The bytes of all elements, without gaps between them.

The product of the extents times the bytes of the dtype.

>>> tw.tensor(np.zeros((2, 3))).nbytes
48)";

constexpr const char* data_ptr = R"(data_ptr($self, /)
--

The address of the first element. An int, whatever the shape and dtype.

>>> x = tw.tensor(np.zeros((2, 3)))
>>> x[1].data_ptr() - x.data_ptr()
24)";

constexpr const char* from_capsule = R"(from_capsule(capsule, /)
--

A tensor over the memory of a DLPack capsule, which is consumed: ``__dlpack__`` of another library gives it.

TypeError and ValueError say why it cannot be a tensor; then the capsule is as it was. Shape, strides and dtype are
those of the capsule.

>>> tw.Tensor.from_capsule(np.arange(3).__dlpack__()).tolist()
[0, 1, 2])";

constexpr const char* from_buffer = R"(from_buffer(obj, dtype=None)
--

A tensor over the memory of an object with the buffer protocol; ``dtype`` (as .tw calls it) reinterprets the elements.

TypeError where there is no buffer, or its elements are not native, aligned and of a known type; ValueError for more
than 32 axes. Shape and strides are those of the buffer.

>>> tw.Tensor.from_buffer(bytearray(b"ab")).tolist()
[97, 98])";

// --- views.cpp

constexpr const char* reshape = R"(reshape($self, /, *shape)
--

The same elements, row by row, along other axes: a view where there is one, else a copy.

shape: the extents, as ints or in one tuple; one may be -1, which is computed. Their product is the number of elements.
CallError for a shape that they do not fill. Any dtype, which stays.

>>> x = tw.tensor(np.arange(6))
>>> x.reshape(2, -1).tolist()
[[0, 1, 2], [3, 4, 5]]
>>> x.reshape((3, 2)).T.reshape(6).tolist()
[0, 2, 4, 1, 3, 5])";

constexpr const char* view = R"(view($self, /, *size, dtype=None)
--

The same memory along other axes, or as another element type.

size: the extents, as for reshape; CallError where there is no such view. dtype: its elements are the same bytes; if they
are of another size, the last axis, which must have no gaps, holds more or fewer of them. CallError where the bytes do
not divide so, are not aligned, or would be bools.

>>> x = tw.tensor(np.arange(6, dtype=np.float32))
>>> x.view(2, 3).shape, x.view(tw.int16).shape
((2, 3), (12,))
>>> hex(x.view(tw.int32)[1].item())
'0x3f800000')";

constexpr const char* view_as = R"(view_as($self, /, other)
--

A view with the shape of another tensor, which has as many elements. CallError where there is none.

Any dtype, which stays. CallTypeError for what is no tensor.

>>> x = tw.tensor(np.arange(6))
>>> x.view_as(tw.tensor(np.zeros((2, 3)))).tolist()
[[0, 1, 2], [3, 4, 5]])";

constexpr const char* reshape_as = R"(reshape_as($self, /, other)
--

``reshape`` to the shape of another tensor, which has as many elements; CallError if it has not.

Any dtype, which stays. CallTypeError for what is no tensor.

>>> x = tw.tensor(np.arange(6).reshape(2, 3))
>>> x.T.reshape_as(x).tolist()
[[0, 3, 1], [4, 2, 5]])";

constexpr const char* ravel = R"(ravel($self, /)
--

All elements along one axis, row by row without gaps: a view of a contiguous tensor, else a copy.

Any dtype, which stays.

>>> tw.tensor(np.arange(4).reshape(2, 2)).T.ravel().tolist()
[0, 2, 1, 3])";

constexpr const char* flatten = R"(flatten($self, /, start_dim=0, end_dim=-1)
--

The axes from start_dim to end_dim, both included, as one: a view where there is one, else a copy.

A tensor without axes becomes one with a single element. CallIndexError for axes that it does not have, CallError where
start_dim stands after end_dim. Any dtype, which stays.

>>> x = tw.tensor(np.zeros((2, 3, 4)))
>>> x.flatten().shape, x.flatten(1).shape, x.flatten(0, 1).shape
((24,), (2, 12), (6, 4)))";

constexpr const char* unflatten = R"(unflatten($self, /, dim, sizes)
--

Axis dim as several of the extents ``sizes``, of which one may be -1. CallError where they do not make up its extent.

Any dtype, which stays. CallIndexError for an axis that there is not.

>>> tw.tensor(np.zeros((2, 12))).unflatten(1, (3, -1)).shape
(2, 3, 4))";

constexpr const char* permute = R"(permute($self, /, *dims)
--

A view with the axes in the order of ``dims``, ints or one tuple, which names each once. CallError if it does not.

Any dtype, which stays. CallIndexError for an axis that there is not.

>>> x = tw.tensor(np.zeros((2, 3, 4)))
>>> x.permute(2, 0, 1).shape, x.permute((0, -1, 1)).shape
((4, 2, 3), (2, 4, 3)))";

constexpr const char* transpose = R"(transpose($self, /, dim0, dim1)
--

A view with two axes swapped. CallIndexError for axes that there are not. Any dtype, which stays.

>>> tw.tensor(np.arange(4).reshape(2, 2)).transpose(0, 1).tolist()
[[0, 2], [1, 3]])";

constexpr const char* swapaxes = R"(swapaxes($self, /, axis0, axis1)
--

``transpose`` under NumPy's name. Shapes, dtypes and errors are the same.

>>> tw.tensor(np.zeros((2, 3, 4))).swapaxes(0, -1).shape
(4, 3, 2))";

constexpr const char* swapdims = R"(swapdims($self, /, dim0, dim1)
--

``transpose`` under another name. Shapes, dtypes and errors are the same.

>>> tw.tensor(np.zeros((2, 3, 4))).swapdims(0, 1).shape
(3, 2, 4))";

constexpr const char* t = R"(t($self, /)
--

A view of a matrix with its axes swapped; of a tensor with fewer axes, itself. CallError for more.

Any dtype, which stays.

>>> tw.tensor(np.zeros((2, 3))).t().shape
(3, 2))";

constexpr const char* movedim = R"(movedim($self, /, source, destination)
--

A view with the axes ``source``, an int or several, at the places ``destination``; the others keep their order.

CallError where they are not as many, or one is named twice. Any dtype, which stays. CallIndexError for an axis that
there is not.

>>> x = tw.tensor(np.zeros((2, 3, 4)))
>>> x.movedim(0, -1).shape, x.movedim((0, 1), (1, 0)).shape
((3, 4, 2), (3, 2, 4)))";

constexpr const char* moveaxis = R"(moveaxis($self, /, source, destination)
--

``movedim`` under NumPy's name. Shapes, dtypes and errors are the same.

>>> tw.tensor(np.zeros((2, 3, 4))).moveaxis(2, 0).shape
(4, 2, 3))";

constexpr const char* squeeze = R"(squeeze($self, /, dim=None)
--

A view without axes of extent 1: all of them, or those of ``dim``, an int or several. Other axes stay.

Any dtype, which stays. CallIndexError for an axis that there is not.

>>> x = tw.tensor(np.zeros((1, 2, 1)))
>>> x.squeeze().shape, x.squeeze(0).shape, x.squeeze((1, 2)).shape
((2,), (2, 1), (1, 2)))";

constexpr const char* unsqueeze = R"(unsqueeze($self, /, dim)
--

A view with one more axis, of extent 1, at the place ``dim``: from -ndim-1 to ndim, else CallIndexError.

Any dtype, which stays.

>>> x = tw.tensor(np.zeros(3))
>>> x.unsqueeze(0).shape, x.unsqueeze(-1).shape
((1, 3), (3, 1)))";

constexpr const char* expand = R"(expand($self, /, *size)
--

A view with axes of extent 1 stretched, and others added in front; nothing is copied, the elements are the same.

size: the extents, ints or one tuple; -1 leaves one as it is. CallError where another extent would change. Any dtype,
which stays.

>>> x = tw.tensor(np.arange(2).reshape(2, 1))
>>> x.expand(2, 3).tolist()
[[0, 0, 0], [1, 1, 1]]
>>> x.expand(4, -1, 3).stride()
(0, 1, 0))";

constexpr const char* expand_as = R"(expand_as($self, /, other)
--

``expand`` to the shape of another tensor.

Any dtype, which stays. CallError where an extent other than 1 would change, CallTypeError for what is no tensor.

>>> tw.tensor(np.zeros((2, 1))).expand_as(tw.tensor(np.zeros((5, 2, 3)))).shape
(5, 2, 3))";

constexpr const char* broadcast_to = R"(broadcast_to($self, /, *size)
--

``expand`` under NumPy's name. Shapes, dtypes and errors are the same.

>>> tw.tensor(np.arange(2)).broadcast_to((3, 2)).tolist()
[[0, 1], [0, 1], [0, 1]])";

constexpr const char* T = R"(A view with all axes in reverse order.

Any number of axes and any dtype.

>>> tw.tensor(np.zeros((2, 3, 4))).T.shape
(4, 3, 2))";

constexpr const char* mT = R"(A view with the last two axes swapped; CallError where there are fewer.

Any dtype.

>>> tw.tensor(np.zeros((2, 3, 4))).mT.shape
(2, 4, 3))";

// --- parts.cpp

constexpr const char* narrow = R"(narrow($self, /, dim, start, length)
--

A view of ``length`` elements along axis ``dim``, from ``start`` on; a negative one counts from the end.

CallError where they leave the axis. Any dtype, which stays. CallIndexError for an axis that there is not.

>>> tw.tensor(np.arange(6)).narrow(0, 2, 3).tolist()
[2, 3, 4])";

constexpr const char* select = R"(select($self, /, dim, index)
--

A view of one place along axis ``dim``, which is gone: ``x.select(1, i)`` is ``x[:, i]``.

CallIndexError for an index outside of -extent <= index < extent. Any dtype, which stays.

>>> tw.tensor(np.arange(6).reshape(2, 3)).select(1, -1).tolist()
[2, 5])";

constexpr const char* split = R"(split($self, /, split_size, dim=0)
--

A tuple of views along axis ``dim``: each of ``split_size`` elements, the last of what remains; or of the lengths
that ``split_size`` lists, which make up the extent. CallError if they do not.

Any dtype, which stays. CallIndexError for an axis that there is not.

>>> x = tw.tensor(np.arange(5))
>>> [part.tolist() for part in x.split(2)]
[[0, 1], [2, 3], [4]]
>>> [part.tolist() for part in x.split([1, 4])]
[[0], [1, 2, 3, 4]])";

constexpr const char* chunk = R"(chunk($self, /, chunks, dim=0)
--

A tuple of at most ``chunks`` views along axis ``dim``, all of one length but for the last.

CallError for fewer than 1. ``tensor_split`` gives exactly so many. Any dtype, which stays. CallIndexError for an axis
that there is not.

>>> [part.tolist() for part in tw.tensor(np.arange(5)).chunk(3)]
[[0, 1], [2, 3], [4]])";

constexpr const char* tensor_split = R"(tensor_split($self, /, indices_or_sections, dim=0)
--

A tuple of views along axis ``dim``: so many of nearly one length, or those between the indices of a list.

CallError for fewer than 1. Indices are those of slices: outside of the axis they are moved to its end. Any dtype, which
stays. CallIndexError for an axis that there is not.

>>> x = tw.tensor(np.arange(5))
>>> [part.tolist() for part in x.tensor_split(2)]
[[0, 1, 2], [3, 4]]
>>> [part.tolist() for part in x.tensor_split((1, -1))]
[[0], [1, 2, 3], [4]])";

constexpr const char* unbind = R"(unbind($self, /, dim=0)
--

A tuple of the views at all places along axis ``dim``, which is gone. CallIndexError without axes.

Any dtype, which stays. CallIndexError for an axis that there is not.

>>> [row.tolist() for row in tw.tensor(np.arange(4).reshape(2, 2)).unbind(1)]
[[0, 2], [1, 3]])";

constexpr const char* diagonal = R"(diagonal($self, /, offset=0, dim1=0, dim2=1)
--

A view of the diagonal of two axes, which becomes the last one: ``offset`` above the main one, or below if negative.

CallError where both axes are the same, CallIndexError for those that there are not. Any dtype, which stays.

>>> x = tw.tensor(np.arange(6).reshape(2, 3))
>>> x.diagonal().tolist(), x.diagonal(1).tolist(), x.diagonal(-1).tolist()
([0, 4], [1, 5], [3]))";

// --- layouts.cpp

constexpr const char* size = R"(size($self, /, dim=None)
--

The extents, as ``shape``, or that of axis ``dim``; CallIndexError where there is none.

A tuple of ints or an int, for every dtype.

>>> x = tw.tensor(np.zeros((2, 3)))
>>> x.size(), x.size(-1)
((2, 3), 3))";

constexpr const char* stride = R"(stride($self, /, dim=None)
--

The strides in elements, or that of axis ``dim``: how far the next element along it is. ``strides`` has them in bytes.

A tuple of ints or an int, for every dtype; CallIndexError for an axis that there is not.

>>> x = tw.tensor(np.zeros((2, 3)))
>>> x.stride(), x.T.stride(), x.stride(0), x.strides
((3, 1), (1, 3), 3, (24, 8)))";

constexpr const char* numel = R"(numel($self, /)
--

The number of elements. The product of the extents, an int, for every dtype; 1 without axes.

>>> tw.tensor(np.zeros((2, 3))).numel()
6)";

constexpr const char* nelement = R"(nelement($self, /)
--

``numel`` under another name. An int, for every shape and dtype.

>>> tw.tensor(np.zeros((2, 3))).nelement()
6)";

constexpr const char* dim = R"(dim($self, /)
--

The number of axes. An int, for every dtype.

>>> tw.tensor(np.zeros((2, 3))).dim()
2)";

constexpr const char* ndimension = R"(ndimension($self, /)
--

``dim`` under another name. An int, for every shape and dtype.

>>> tw.tensor(np.zeros((2, 3))).ndimension()
2)";

constexpr const char* element_size = R"(element_size($self, /)
--

The bytes of an element. An int from 1 to 8, by the dtype alone, whatever the shape.

>>> tw.tensor(np.zeros(3, np.float32)).element_size()
4)";

constexpr const char* is_contiguous = R"(is_contiguous($self, /)
--

Whether the elements stand row by row without gaps; axes of extent 1 do not matter. A bool, for every dtype.

>>> x = tw.tensor(np.zeros((2, 3)))
>>> x.is_contiguous(), x.T.is_contiguous(), x[:, ::2].is_contiguous()
(True, False, False))";

constexpr const char* storage_offset = R"(storage_offset($self, /)
--

Where the first element stands in the storage, in elements. An int, for every shape and dtype.

>>> tw.tensor(np.zeros((2, 3)))[1, 2:].storage_offset()
5)";

constexpr const char* contiguous = R"(contiguous($self, /)
--

The tensor itself where it is contiguous, else a copy that is. The shape and the dtype, any, stay.

>>> x = tw.tensor(np.arange(4).reshape(2, 2))
>>> x.contiguous() is x, x.T.contiguous().stride()
(True, (2, 1)))";

constexpr const char* unfold = R"(unfold($self, /, dimension, size, step)
--

A view of all windows of ``size`` elements along an axis, ``step`` apart: their elements are a new last axis.

CallError where a window is longer than the axis, or step is less than 1. Any dtype, which stays. CallIndexError for an
axis that there is not.

>>> tw.tensor(np.arange(6)).unfold(0, 3, 2).tolist()
[[0, 1, 2], [2, 3, 4]])";

constexpr const char* as_strided = R"(as_strided($self, /, size, stride, storage_offset=None)
--

A view of the storage with any extents and strides, both in elements, from any place (that of this tensor, if None).

CallError where it would reach outside of the storage, or the two are of different lengths. Any dtype, which stays.

>>> x = tw.tensor(np.arange(6))
>>> x.as_strided((2, 3), (1, 2)).tolist()
[[0, 2, 4], [1, 3, 5]])";

constexpr const char* ndim = R"(The number of axes.

An int from 0 to 32, for every dtype.

>>> tw.tensor(np.zeros((2, 3))).ndim
2)";

constexpr const char* itemsize = R"(The bytes of an element.

An int from 1 to 8, by the dtype alone, whatever the shape.

>>> tw.tensor(np.zeros(3)).itemsize
8)";

constexpr const char* version = R"(How often the storage was written to in place; views share it.

An int, for every shape and dtype.

>>> x = tw.tensor(np.zeros(3))
>>> x._version == x[1:]._version
True)";

// --- items.cpp

constexpr const char* item = R"(item($self, /)
--

The only element, as a bool, an int or a float of Python. CallError if there are more, or none.

Any shape of one element.

>>> tw.tensor(np.arange(3.0))[2].item()
2.0)";

constexpr const char* tolist = R"(tolist($self, /)
--

The elements in nested lists, one level per axis; without axes, the number.

Bools, ints or floats, by the dtype.

>>> tw.tensor(np.arange(4).reshape(2, 2)).tolist()
[[0, 1], [2, 3]])";

constexpr const char* numpy = R"(numpy($self, /, force=False)
--

A NumPy array over the same memory, read-only if the tensor is; of bfloat16 by ml_dtypes, CallTypeError without it.

force: for programs that pass it to PyTorch; there is nothing to force. Shape, strides and dtype are the same.

>>> x = tw.tensor(np.arange(3))
>>> x.numpy()[0] = 7
>>> x.tolist()
[7, 1, 2])";

}  // namespace tw::doc
