"""
tf2_msgs/TFMessage for computers without that package, which has no wheel; serialised bytes only.

The middleware needs the name of a type and, for bytes, nothing else of it. So the support of
another message type is copied, with this name. Publishers take bytes, subscriptions give them
(`raw=True`); discovery, matching and transport are real.
"""

import ctypes

from geometry_msgs.msg import TransformStamped

_FAST_RTPS = b'rosidl_typesupport_fastrtps_c'
_CALLBACKS_BYTES = 96
_Find = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)
_kept = []


class _Handle(ctypes.Structure):
    """rosidl_message_type_support_t."""

    _fields_ = (
        ('identifier', ctypes.c_char_p),
        ('data', ctypes.c_void_p),
        ('find', ctypes.c_void_p),
        ('describe', ctypes.c_void_p * 3),
    )


def _renamed_support(capsule, namespace, name):
    """Return a copy of a type support for another name of the type."""
    python = ctypes.pythonapi
    python.PyCapsule_GetPointer.restype = ctypes.c_void_p
    python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    python.PyCapsule_GetName.restype = ctypes.c_char_p
    python.PyCapsule_GetName.argtypes = [ctypes.py_object]
    python.PyCapsule_New.restype = ctypes.py_object
    python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    label = python.PyCapsule_GetName(capsule)
    every = _Handle.from_address(python.PyCapsule_GetPointer(capsule, label))
    find = _Find(every.find)
    original = _Handle.from_address(find(ctypes.addressof(every), _FAST_RTPS))
    # message_type_support_callbacks_t begins with the namespace and the name.
    data = (ctypes.c_char * _CALLBACKS_BYTES).from_address(original.data)
    callbacks = ctypes.create_string_buffer(bytes(data), _CALLBACKS_BYTES)
    names = (ctypes.c_char_p * 2).from_buffer(callbacks)
    names[:] = [namespace, name]
    handle = _Handle(original.identifier, ctypes.addressof(callbacks), None, original.describe)

    @_Find
    def choose(_, identifier):
        if identifier == _FAST_RTPS:
            return ctypes.addressof(handle)
        return find(ctypes.addressof(every), identifier)

    handle.find = ctypes.cast(choose, ctypes.c_void_p).value
    _kept.extend((callbacks, names, handle, choose, namespace, name))
    return python.PyCapsule_New(ctypes.addressof(handle), label, None)


class _Metaclass(type):
    _TYPE_SUPPORT = None

    @classmethod
    def __import_type_support__(cls):
        if cls._TYPE_SUPPORT is None:
            original = type(TransformStamped)
            original.__import_type_support__()
            cls._TYPE_SUPPORT = _renamed_support(
                original._TYPE_SUPPORT, b'tf2_msgs::msg', b'TFMessage'
            )
            for name in ('CREATE_ROS_MESSAGE', 'CONVERT_FROM_PY', 'CONVERT_TO_PY'):
                setattr(cls, f'_{name}', getattr(original, f'_{name}'))
            cls._DESTROY_ROS_MESSAGE = original._DESTROY_ROS_MESSAGE


class TFMessage(metaclass=_Metaclass):
    """Stands for the type; it has no fields."""
