"""Write a recording as other tools do: ROS 1, and every compression of rosbag2 and MCAP."""

from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

from flashdepth_ros.bags.build import jazzy


def ros1(path, records, compression):
    """Write a ROS 1 bag, with lz4 or bz2 compressed chunks or without compression."""
    store, connections = get_typestore(Stores.ROS1_NOETIC), {}
    path = path.with_suffix('.bag')
    writer = Ros1Writer(path)
    if compression:
        writer.set_compression(Ros1Writer.CompressionFormat[compression])
    with writer:
        for record in records:
            if record.topic not in connections:
                connections[record.topic] = writer.add_connection(
                    record.topic, record.type, typestore=store
                )
            data = store.serialize_ros1(_to_ros1(store, record), record.type)
            writer.write(connections[record.topic], record.stamp_ns, data)
    return path


def _to_ros1(store, record):
    """Return the ROS 1 message of a record; except for the header, its fields are the same."""
    message = jazzy().deserialize_cdr(record.data, record.type)
    stamp = message.header.stamp
    stamp = store.types['builtin_interfaces/msg/Time'](stamp.sec, stamp.nanosec)
    head = store.types['std_msgs/msg/Header'](0, stamp, message.header.frame_id)
    names = [name for name, _ in jazzy().fielddefs[record.type][1]]
    return store.types[record.type](head, *(getattr(message, name) for name in names[1:]))


def ros2(path, records, storage, mode):
    """Write a rosbag2 folder, with zstd compression of files, messages or the storage."""
    connections = {}
    writer = Ros2Writer(path, version=9, storage_plugin=StoragePlugin[storage])
    writer.set_compression(CompressionMode[mode], CompressionFormat.ZSTD)
    with writer:
        for record in records:
            if record.topic not in connections:
                connections[record.topic] = writer.add_connection(
                    record.topic, record.type, typestore=jazzy()
                )
            writer.write(connections[record.topic], record.stamp_ns, record.data)
    return path


def mcap_file(path, records, compression):
    """Write a single MCAP file with the mcap library, with lz4 or zstd compressed chunks."""
    path, channels = path.with_suffix('.mcap'), {}
    with path.open('wb') as file:
        writer = McapWriter(file, compression=CompressionType[compression])
        writer.start('ros2', 'test')
        for record in records:
            if record.topic not in channels:
                definition, _ = jazzy().generate_msgdef(record.type, ros_version=2)
                schema = writer.register_schema(record.type, 'ros2msg', definition.encode())
                channels[record.topic] = writer.register_channel(record.topic, 'cdr', schema)
            time = record.stamp_ns
            writer.add_message(channels[record.topic], time, record.data, time)
        writer.finish()
    return path
