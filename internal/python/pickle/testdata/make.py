#!/usr/bin/python3
"""Pickles one value in each protocol: value.0.pkl to value.5.pkl, and numpy.2.pkl to numpy.5.pkl with arrays.

  /usr/bin/python3 make.py
"""
import collections, os, pickle
import numpy

value = {
    'a': [1, -2, 70000, 2**40, -2**70, True, None, 1.5],
    'b': ('x', 'y\u20ac\n\\', b'\x00\xff'),
    'c': collections.OrderedDict([('k', (1,)), ('l', frozenset([2]))]),
    b'd': {1: 2},
    'e': [[]],
    'f': {4},
    'g': bytearray(b'xy'),
    'h': (),
    'i': (1, 2),
    'j': (1, 2, 3, 4),
    'k': collections.defaultdict(list, {'z': 1}),
    'l': collections.Counter('aab'),
}
value['m'] = value['e']
arrays = {
    'f4': numpy.array([[1, 2, 3], [4, 5, 6]], '<f4'),
    'long': numpy.arange(5000, dtype='<u2') % 251,
    'fortran': numpy.asfortranarray(numpy.array([[1, 2], [3, 4]], 'u1')),
    'big': numpy.array([1], '>i4'),
    'scalar': numpy.array(7, '<i8'),
    'objects': numpy.array([None, 'x'], object),
}
here = os.path.dirname(os.path.abspath(__file__))
for name, of, protocols in (('value', value, range(6)), ('numpy', arrays, range(2, 6))):
    for p in protocols:
        with open(os.path.join(here, f'{name}.{p}.pkl'), 'wb') as f:
            pickle.dump(of, f, p)
