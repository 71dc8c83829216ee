"""The tables of the index as peewee models, bound to no database: every query names the one it runs on.

`Image.select(...).execute(database)`. The migrations make the tables; a test holds these models to them.
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


class Root(Model):
    """A configured folder. `watched` is false once it left the configuration; `protected` holds by the configuration
    (`configured`) or by a marker file that the last scan found."""

    id = AutoField()
    path = BlobField(unique=True)
    protected = BooleanField(default=False)
    configured = BooleanField(default=False)
    priority = IntegerField(default=0)
    watched = BooleanField(default=True)
    state = TextField(default="online")
    reason = TextField(default="")
    device = IntegerField(null=True)
    walked_ns = IntegerField(null=True)


class Holding(Model):
    """What a root holds. Triggers keep it in step with `Image` and `Problem`; nothing else writes it."""

    root = ForeignKeyField(Root, primary_key=True)
    images = IntegerField(default=0)
    size_bytes = IntegerField(default=0)
    problems = IntegerField(default=0)


class Content(Model):
    """Bytes known by their digest, and what one decode told of them; `failure` is set where it failed."""

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
    scheme = TextField(default="")
    hash8 = BlobField(null=True)
    hash16 = BlobField(null=True)
    hash32 = BlobField(null=True)
    pixel_digest = BlobField(null=True)
    failure = TextField(default="")
    failure_message = TextField(default="")
    orphaned_ns = IntegerField(null=True)


class Region(Model):
    """The hashes of a part of a picture, what is inside its frame, say; of several of one role one after the other."""

    id = AutoField()
    content = ForeignKeyField(Content, on_delete="CASCADE")
    role = TextField()
    hash8 = BlobField()
    hash16 = BlobField()
    hash32 = BlobField()


class Feature(Model):
    """The local features of a picture, made when a thorough detection first needs them."""

    content = ForeignKeyField(Content, primary_key=True, on_delete="CASCADE")
    scheme = TextField()
    blob = BlobField()


class Image(Model):
    """A file, by its path as bytes and its identity. `content` is null where it could not be read."""

    id = AutoField()
    root = ForeignKeyField(Root)
    path = BlobField(unique=True)
    device = IntegerField()
    inode = IntegerField()
    size_bytes = IntegerField()
    mtime_ns = IntegerField()
    content = ForeignKeyField(Content, null=True)
    indexed_ns = IntegerField()


class Problem(Model):
    """The recorded failure of one file or folder."""

    id = AutoField()
    root = ForeignKeyField(Root)
    path = BlobField(unique=True)
    reason = TextField()
    message = TextField()
    at_ns = IntegerField()


class Suspect(Model):
    """A file whose reading may end the whole service: index.records.suspects."""

    path = BlobField(primary_key=True)
    being_read = BooleanField()
    crashes = IntegerField()

    class Meta:
        without_rowid = True


class Detection(Model):
    """One set of parameters and what was found under it. Contents up to `watermark` are matched;
    `calibration` is what its tolerance is expected to propose wrongly."""

    id = AutoField()
    parameters = TextField()
    created_ns = IntegerField()
    finished_ns = IntegerField(null=True)
    watermark = IntegerField(default=0)
    current = BooleanField(default=False)
    calibration = TextField(default="{}")


class Judgement(Model):
    """What the verifier said of a pair of contents, `kind` "" where it is not the same picture."""

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


class Attempt(Model):
    """A pair or a single content (a = b) that is being worked on, or with which that failed: index.records.attempts.
    `verifier` names the work."""

    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    verifier = TextField()
    being_judged = BooleanField()
    failures = IntegerField()

    class Meta:
        primary_key = CompositeKey("a", "b", "verifier")
        without_rowid = True


class Unjudged(Model):
    """A pair that was proposed to a detection and could not be looked at yet: index.records.unjudged."""

    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    a = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    b = ForeignKeyField(Content, on_delete="CASCADE", backref="+")
    distance = IntegerField()
    turn = TextField(null=True)
    by_part = BooleanField()

    class Meta:
        primary_key = CompositeKey("detection", "a", "b")
        without_rowid = True


class Match(Model):
    """Two contents that are the same picture under one detection; a < b, the turn leads from a to b."""

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
    """How many pairs one detection proposed at a distance, and how many of them the verifier let through."""

    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    distance = IntegerField()
    proposed = IntegerField()
    near = IntegerField()
    possible = IntegerField()

    class Meta:
        primary_key = CompositeKey("detection", "distance")
        without_rowid = True


class Absent(Model):
    """A content that no file has, or that came `back` and is not matched again yet (see index.records.absent)."""

    id = AutoField()
    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    content = ForeignKeyField(Content, on_delete="CASCADE")
    back = BooleanField()

    class Meta:
        indexes = ((("detection", "content"), True),)


class DuplicateGroup(Model):
    """Images offered for one decision, with what lists are filtered and sorted by; `decided` counts the images whose
    decision is not stale."""

    id = AutoField()
    detection = ForeignKeyField(Detection, on_delete="CASCADE")
    key = TextField()
    kind = TextField()
    reference = ForeignKeyField(Content)
    images = IntegerField()
    size_bytes = IntegerField()
    reclaimable_bytes = IntegerField()
    confidence = FloatField()
    newest_ns = IntegerField()
    changed_ns = IntegerField()
    decided = IntegerField(default=0)

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


class Concerned(Model):
    """A content whose groups a change concerns, until they are made anew."""

    content = ForeignKeyField(Content, primary_key=True, on_delete="CASCADE")


class Notified(Model):
    """Up to where people were told what happened, as JSON; one row."""

    id = AutoField()
    mark = TextField()


class Verdict(Model):
    """ "Not duplicates" for two contents, by digest (a < b); `batch` names the order that made it."""

    id = AutoField()
    a_digest = BlobField()
    b_digest = BlobField()
    label = TextField()
    note = TextField(default="")
    batch = TextField(default="")
    created_ns = IntegerField()

    class Meta:
        indexes = ((("a_digest", "b_digest"), True),)


class RuleOrder(Model):
    """One application of a rule: the decisions it made are taken back together."""

    id = AutoField()
    rule = TextField()
    created_ns = IntegerField()
    groups = IntegerField()
    images = IntegerField()
    bytes = IntegerField()

    class Meta:
        table_name = "rule_order"


class Decision(Model):
    """What shall become of one image, and the bytes it was decided for; `criterion` is what decided in a rule."""

    image = ForeignKeyField(Image, primary_key=True, on_delete="CASCADE")
    choice = TextField()
    destination = TextField(default="")
    origin = TextField()
    criterion = TextField(default="")
    order = ForeignKeyField(RuleOrder, null=True, on_delete="SET NULL")
    digest = BlobField()
    decided_ns = IntegerField()


class Batch(Model):
    """Steps that are journaled before the first is done; `name` is that of its folders in the trashes."""

    id = AutoField()
    name = TextField()
    kind = TextField()
    job_id = IntegerField(null=True)
    undo_of = ForeignKeyField("self", null=True)
    state = TextField()
    created_ns = IntegerField()
    finished_ns = IntegerField(null=True)


class Step(Model):
    """One change on disk (see index.records.batches). The made_* columns tell the file that it puts in place."""

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
    message = TextField(default="")
    done_ns = IntegerField(null=True)


class TrashItem(Model):
    """A file that is or was in a trash: index.records.trash_items."""

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
    """A trash folder, and how far its manifest was read: index.records.trash_homes."""

    folder = BlobField(primary_key=True)
    inode = IntegerField(default=0)
    size_bytes = IntegerField(default=0)
    mtime_ns = IntegerField(default=0)
    read_bytes = IntegerField(default=0)
    tail = BlobField(default=b"")
    objection = TextField(default="")

    class Meta:
        table_name = "trash_home"


class Uptime(Model):
    """How long the machine has been on: index.records.uptime. One row: the last record, and the total until then."""

    id = IntegerField(primary_key=True)
    boot = TextField()
    boottime_ns = IntegerField()
    total_ns = IntegerField()


class TrashUptime(Model):
    """The total of `Uptime` at which an item of the trash was first seen there. A trigger drops it with the time at
    which the item was put there."""

    item = ForeignKeyField(TrashItem, primary_key=True, on_delete="CASCADE")
    total_ns = IntegerField()

    class Meta:
        table_name = "trash_uptime"


class Compression(Model):
    """What was made of a file, or why it was left: index.records.compressions. Sizes are "width x height" as stored."""

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
    wish = TextField()
    reason = TextField(default="")
    message = TextField(default="")
    made_ns = IntegerField()


class Job(Model):
    """Work asked for, under way or ended. `total` is null while it is not known."""

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
    error = TextField(default="")


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
    """A setting changed while running, over the configuration file's."""

    key = TextField(primary_key=True)
    value = TextField()

    class Meta:
        without_rowid = True
