"""The tables of the journal: batches with their steps, the trash, and the results of compressions."""

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from index.database.fields import MessageField


class Batch(Model):
    """Steps that are journaled before the first one starts. `name` is the name of its folders in the trashes."""

    id = AutoField()
    name = TextField()
    kind = TextField()
    job_id = IntegerField(null=True)
    undo_of = ForeignKeyField("self", null=True)
    state = TextField()
    created_ns = IntegerField()
    finished_ns = IntegerField(null=True)
    planned = TextField(default="{}")


class Step(Model):
    """One change on disk: records.batches. The made_* columns describe the file that it puts in place."""

    id = AutoField()
    batch = ForeignKeyField(Batch, on_delete="CASCADE")
    action = TextField()
    path = BlobField()
    target = BlobField(default=b"")
    trash = BlobField(default=b"")
    temp = BlobField(default=b"")
    keeper = BlobField(default=b"")
    image_id = IntegerField(null=True)
    group_key = TextField(default="")
    companion_of = ForeignKeyField("self", null=True, backref="+")
    undo_of = ForeignKeyField("self", null=True, backref="+")
    device = IntegerField()
    inode = IntegerField()
    size_bytes = IntegerField()
    mtime_ns = IntegerField()
    digest = BlobField(default=b"")
    made_inode = IntegerField(null=True)
    made_size_bytes = IntegerField(null=True)
    made_mtime_ns = IntegerField(null=True)
    made_digest = BlobField(default=b"")
    bytes = IntegerField(default=0)
    state = TextField()
    reason = TextField(default="")
    message = MessageField(default=lambda: None)
    done_ns = IntegerField(null=True)


class TrashItem(Model):
    """A file that is or was in a trash: records.trash_items."""

    id = AutoField()
    place = BlobField(unique=True)
    path = BlobField()
    inode = IntegerField()
    size_bytes = IntegerField()
    mtime_ns = IntegerField()
    digest = BlobField()
    batch_id = IntegerField(null=True)
    step_id = IntegerField(null=True)
    trashed_ns = IntegerField()
    state = TextField()
    adopted = BooleanField(default=False)
    elsewhere = BlobField(default=b"")

    class Meta:
        table_name = "trash_item"


class TrashHome(Model):
    """A trash folder, and how far its manifest was read: records.trash_folders."""

    folder = BlobField(primary_key=True)
    inode = IntegerField(default=0)
    size_bytes = IntegerField(default=0)
    mtime_ns = IntegerField(default=0)
    read_bytes = IntegerField(default=0)
    tail = BlobField(default=b"")
    objection = MessageField(default=lambda: None)

    class Meta:
        table_name = "trash_home"


class Uptime(Model):
    """How long the machine has been on: records.uptime. One row, with the last reading and the total until then."""

    id = IntegerField(primary_key=True)
    boot = TextField()
    boottime_ns = IntegerField()
    total_ns = IntegerField()


class TrashUptime(Model):
    """The total of `Uptime` when an item was first seen in the trash. A trigger deletes the row when the item's time of
    trashing changes."""

    item = ForeignKeyField(TrashItem, primary_key=True, on_delete="CASCADE")
    total_ns = IntegerField()

    class Meta:
        table_name = "trash_uptime"


class Compression(Model):
    """The result of compressing a file, or why it was skipped: records.compressions. Sizes are "width x height" as
    stored. `options_key` is imaging.encoding.compression.CompressionOptions.key."""

    id = AutoField()
    batch = ForeignKeyField(Batch, null=True, on_delete="CASCADE")
    step = ForeignKeyField(Step, null=True, on_delete="SET NULL")
    state = TextField()
    path = BlobField()
    result_path = BlobField(default=b"")
    source_digest = BlobField(default=b"")
    result_digest = BlobField(default=b"")
    source_bytes = IntegerField()
    result_bytes = IntegerField(default=0)
    source_size = TextField(default="")
    result_size = TextField(default="")
    format = TextField(default="")
    lossless = BooleanField(default=False)
    quality = IntegerField(default=0)
    score = FloatField(null=True)
    target = TextField(default="")
    options_key = TextField()
    reason = TextField(default="")
    message = MessageField(default=lambda: None)
    made_ns = IntegerField()
