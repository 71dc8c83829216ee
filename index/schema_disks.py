"""The tables of disks as peewee models, as those of index.schema: where folders stand, and images of disks away."""

from peewee import AutoField, BlobField, BooleanField, ForeignKeyField, IntegerField, Model, TextField

from index.schema import Content, Root, RuleOrder


class Disk(Model):
    """A file system that a watched folder, or a folder in it, stands on or stood on: index.records.disks."""

    id = AutoField()
    root = ForeignKeyField(Root, on_delete="CASCADE")
    folder = BlobField()
    identity = TextField()
    place = BlobField()
    present = BooleanField()
    seen_ns = IntegerField()

    class Meta:
        indexes = ((("root", "folder", "identity", "place"), True),)


class DiskImage(Model):
    """An image of a file system that is away, and what was decided about it: `choice` "" where nothing was."""

    id = AutoField()
    disk = ForeignKeyField(Disk, on_delete="CASCADE")
    path = BlobField()
    device = IntegerField()
    inode = IntegerField()
    size_bytes = IntegerField()
    mtime_ns = IntegerField()
    content = ForeignKeyField(Content, null=True, on_delete="SET NULL", backref="+")
    digest = BlobField()
    choice = TextField()
    destination = TextField()
    origin = TextField()
    criterion = TextField()
    order = ForeignKeyField(RuleOrder, null=True, on_delete="SET NULL", backref="+")
    decided_for = BlobField()
    decided_ns = IntegerField()

    class Meta:
        table_name = "disk_image"
        indexes = ((("disk", "path"), True),)
