"""The tables of the index as peewee models.

They are bound to no database, so that every query is given one: `Image.select(...).execute(database)`. The migrations
create the tables; a test compares these models with them.
"""

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    CompositeKey,
    FloatField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from index.database.fields import AttachmentsField, CameraRecordField, DescriptionField, MessageField
from index.model import FACTS_VERSION, CameraRecord, Description


class Root(Model):
    """A watch root. `watched` is false once it is no longer in the configuration. It is `protected` by the
    configuration (`configured`) or by a marker file that the last scan found. See records.temporary_roots."""

    id = AutoField()
    path = BlobField(unique=True)
    protected = BooleanField(default=False)
    configured = BooleanField(default=False)
    priority = IntegerField(default=0)
    watched = BooleanField(default=True)
    state = TextField(default="online")
    reason = MessageField(default=lambda: None)
    device = IntegerField(null=True)
    walked_ns = IntegerField(null=True)
    skipped = TextField(default="{}")
    temporary = IntegerField(default=0)


class DecoderSet(Model):
    """The decoders under which files were read, with their versions; one row (records.decoder_set)."""

    id = AutoField()
    decoders = TextField()

    class Meta:
        table_name = "decoder_set"


class RootTotals(Model):
    """The totals of a root. Triggers keep them in step with `Image` and `Problem`; nothing else writes them."""

    root = ForeignKeyField(Root, primary_key=True)
    images = IntegerField(default=0)
    size_bytes = IntegerField(default=0)
    problems = IntegerField(default=0)

    class Meta:
        table_name = "holding"


class Content(Model):
    """Bytes identified by their digest, with the results of decoding them; `failure` is set if that failed."""

    id = AutoField()
    digest = BlobField(unique=True)
    size_bytes = IntegerField()
    format = TextField(default="")
    width = IntegerField(default=0)
    height = IntegerField(default=0)
    mode = TextField(default="")
    orientation = IntegerField(default=1)
    taken = TextField(default="")
    camera = TextField(default="")
    jpeg_quality = IntegerField(default=0)
    earlier_quality = IntegerField(default=0)
    detail = IntegerField(default=0)
    frames = IntegerField(default=1)
    metadata = TextField(default="")
    record = CameraRecordField(default=CameraRecord)
    bit_depth = IntegerField(default=8)
    transparent = BooleanField(default=False)
    attachments = AttachmentsField(default=())
    damage = TextField(default="")
    description = DescriptionField(default=Description)
    facts_version = IntegerField(default=FACTS_VERSION)
    scheme = TextField(default="")
    hash8 = BlobField(null=True)
    hash16 = BlobField(null=True)
    hash32 = BlobField(null=True)
    pixel_digest = BlobField(null=True)
    failure = TextField(default="")
    failure_message = MessageField(default=lambda: None)
    orphaned_ns = IntegerField(null=True)


class Region(Model):
    """The hashes of parts of a picture, such as the inside of its frame. Several parts of one role are concatenated."""

    id = AutoField()
    content = ForeignKeyField(Content, on_delete="CASCADE")
    role = TextField()
    hash8 = BlobField()
    hash16 = BlobField()
    hash32 = BlobField()


class Feature(Model):
    """The local features of a picture, computed when a thorough detection first needs them."""

    content = ForeignKeyField(Content, primary_key=True, on_delete="CASCADE")
    scheme = TextField()
    blob = BlobField()


class Image(Model):
    """A file, by its path as bytes and its identity. `content` is null if it could not be read."""

    id = AutoField()
    root = ForeignKeyField(Root)
    path = BlobField(unique=True)
    device = IntegerField()
    inode = IntegerField()
    size_bytes = IntegerField()
    mtime_ns = IntegerField()
    content = ForeignKeyField(Content, null=True)
    indexed_ns = IntegerField()


class Beside(Model):
    """The companions of an image in a group: their kinds (companions.Bond, with commas), and what the sidecars say."""

    image = ForeignKeyField(Image, primary_key=True, on_delete="CASCADE")
    bonds = TextField()
    description = DescriptionField(default=Description)


class Problem(Model):
    """The recorded failure of one file or folder."""

    id = AutoField()
    root = ForeignKeyField(Root)
    path = BlobField(unique=True)
    reason = TextField()
    message = MessageField()
    at_ns = IntegerField()


class Detection(Model):
    """One set of parameters. Contents up to `watermark` are matched; `calibration` holds the measurements from which
    the expected number of false candidates is estimated (records.random_pairs)."""

    id = AutoField()
    parameters = TextField()
    created_ns = IntegerField()
    finished_ns = IntegerField(null=True)
    watermark = IntegerField(default=0)
    current = BooleanField(default=False)
    calibration = TextField(default="{}")
    proposed_by = TextField(default="")


class Judgement(Model):
    """The verifier's result for a pair of contents; `kind` is "" where they are not the same picture."""

    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    verifier = TextField()
    kind = TextField()
    turn = TextField()
    confidence = FloatField()
    evidence = TextField()

    class Meta:
        primary_key = CompositeKey("a", "b")
        without_rowid = True


class Trace(Model):
    """What one decode of a content at full size found (imaging.originality.trace); empty where none could be made."""

    content = ForeignKeyField(Content, primary_key=True, on_delete="CASCADE")
    version = TextField()
    data = BlobField()


class Origin(Model):
    """Evidence which of two contents was made from the other: JSON, {"forward": {name: strength}, "back": ...}; forward
    means b from a; a < b. `via` is the content with which both were compared, or a if they were compared directly."""

    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    via = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    version = TextField()
    findings = TextField()

    class Meta:
        primary_key = CompositeKey("a", "b", "via")
        without_rowid = True


class QuarantinedWork(Model):
    """Work that is under way, or that crashed its worker or the service: records.quarantine. `item` is the path of a
    file with its `version`, or made from the ids of one content (a) or two (a, b)."""

    work = TextField()
    item = BlobField()
    version = TextField()
    a = ForeignKeyField(Content, null=True, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, null=True, on_delete="CASCADE", backref="+")
    started = BooleanField()
    crashes = IntegerField()

    class Meta:
        table_name = "quarantine"
        primary_key = CompositeKey("work", "item")
        without_rowid = True


class DeferredPair(Model):
    """A candidate pair of a detection that could not be verified yet: records.deferred_pairs."""

    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    distance = IntegerField()
    turn = TextField(null=True)
    by_part = BooleanField()
    cosine = FloatField(null=True)

    class Meta:
        table_name = "unjudged"
        primary_key = CompositeKey("detection", "a", "b")
        without_rowid = True


class AssumedPair(DeferredPair):
    """A candidate pair that no group depends on, and that was not verified: records.assumed_pairs."""

    class Meta:
        table_name = "assumed"


class Match(Model):
    """Two contents that are the same picture in one detection; a < b, and the turn applied to a gives b."""

    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    kind = TextField()
    distance = IntegerField()
    turn = TextField()
    confidence = FloatField()
    evidence = TextField()

    class Meta:
        primary_key = CompositeKey("detection", "a", "b")
        without_rowid = True


class Tally(Model):
    """How many pairs a detection proposed at a distance, and how many of them the verifier accepted."""

    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    distance = IntegerField()
    proposed = IntegerField()
    near = IntegerField()
    possible = IntegerField()

    class Meta:
        primary_key = CompositeKey("detection", "distance")
        without_rowid = True


class MissingContent(Model):
    """A content without a file, or one that came `back` and is not matched again yet: records.missing_contents."""

    id = AutoField()
    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    content = ForeignKeyField(Content, on_delete="CASCADE")
    back = BooleanField()

    class Meta:
        table_name = "absent"
        indexes = ((("detection", "content"), True),)


class DuplicateGroup(Model):
    """Images offered for one decision, with the values by which lists are filtered and sorted. `decided` counts the
    images with a decision that is not stale. A `scene` holds other exposures, texts or colours, and no copies. While
    `estimated`, the reclaimable bytes are not those of the proposal."""

    id = AutoField()
    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    key = TextField()
    kind = TextField()
    reference = ForeignKeyField(Content)
    images = IntegerField()
    size_bytes = IntegerField()
    reclaimable_bytes = IntegerField()
    confidence = FloatField()
    scene = BooleanField(default=False)
    newest_ns = IntegerField()
    changed_ns = IntegerField()
    decided = IntegerField(default=0)
    estimated = BooleanField(default=True)

    class Meta:
        table_name = "duplicate_group"
        indexes = ((("detection", "key"), True),)


class Member(Model):
    """A content of a group and how it is matched to the group's reference; position 0 is the reference."""

    group = ForeignKeyField(DuplicateGroup, on_delete="CASCADE")
    content = ForeignKeyField(Content)
    position = IntegerField()
    kind = TextField()
    distance = IntegerField()
    turn = TextField()

    class Meta:
        primary_key = CompositeKey("group", "content")
        without_rowid = True


class StaleGroup(Model):
    """A content whose groups are out of date, until they are rebuilt."""

    content = ForeignKeyField(Content, primary_key=True, on_delete="CASCADE")

    class Meta:
        table_name = "concerned"


class NotificationState(Model):
    """The notice watermark as JSON (model.NoticeWatermark); one row."""

    id = AutoField()
    mark = TextField()

    class Meta:
        table_name = "notified"


class Verdict(Model):
    """ "Not duplicates" for two contents, by digest (a < b). Verdicts of one request share a `batch`."""

    id = AutoField()
    a_digest = BlobField()
    b_digest = BlobField()
    label = TextField()
    note = TextField(default="")
    batch = TextField(default="")
    created_ns = IntegerField()

    class Meta:
        indexes = ((("a_digest", "b_digest"), True),)


class RuleRun(Model):
    """One application of a rule: its decisions can be revoked together."""

    id = AutoField()
    rule = TextField()
    created_ns = IntegerField()
    groups = IntegerField()
    images = IntegerField()
    bytes = IntegerField()
    job_id = IntegerField(null=True)
    finished = BooleanField(default=True)

    class Meta:
        table_name = "rule_order"


class Decision(Model):
    """The decision on one image, with the digest of the bytes it was made for. `criterion` is the one that decided in
    a rule. `keeper` is the digest of the image that was to stay when this one was decided to be trashed."""

    image = ForeignKeyField(Image, primary_key=True, on_delete="CASCADE")
    choice = TextField()
    destination = TextField(default="")
    origin = TextField()
    criterion = TextField(default="")
    order = ForeignKeyField(RuleRun, null=True, on_delete="SET NULL")
    digest = BlobField()
    decided_ns = IntegerField()
    keeper = BlobField(null=True)


class Disk(Model):
    """A file system that a watched folder, or a folder in it, is or was on: records.disks."""

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
    """An image on a file system that is away, with its decision; `choice` is "" without one."""

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
    order = ForeignKeyField(RuleRun, null=True, on_delete="SET NULL", backref="+")
    decided_for = BlobField()
    decided_ns = IntegerField()

    class Meta:
        table_name = "disk_image"
        indexes = ((("disk", "path"), True),)


class Job(Model):
    """A job that is queued, running or has ended. `total` is null while it is not known."""

    id = AutoField()
    kind = TextField()
    state = TextField()
    origin = TextField()
    priority = IntegerField(default=0)
    parameters = TextField()
    created_ns = IntegerField()
    started_ns = IntegerField(null=True)
    finished_ns = IntegerField(null=True)
    phase = TextField(default="")
    done = IntegerField(default=0)
    total = IntegerField(null=True)
    rate = FloatField(null=True)
    cancel_requested = BooleanField(default=False)
    attempts = IntegerField(default=0)
    outcome = TextField(default="{}")
    error = MessageField(default=lambda: None)


class Schedule(Model):
    """A cron or interval trigger that queues a job."""

    id = AutoField()
    name = TextField(unique=True)
    kind = TextField()
    parameters = TextField()
    trigger = TextField()
    enabled = BooleanField(default=True)
    origin = TextField()
    last_run_ns = IntegerField(null=True)


class Setting(Model):
    """A setting changed at run time, which takes precedence over the configuration file."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        without_rowid = True
