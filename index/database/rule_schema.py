"""The tables of rules: those kept under a name, and the decisions that an unfinished run has replaced."""

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from index.database.schema import Image, RuleRun


class NamedRule(Model):
    """A rule kept under a name: records.named_rules."""

    id = AutoField()
    name = TextField(unique=True)
    rule = TextField()
    after_detection = BooleanField(default=False)
    beyond_equal = BooleanField(default=False)
    considered_ns = IntegerField(default=0)

    class Meta:
        table_name = "named_rule"


class ReplacedDecision(Model):
    """The decision of an earlier rule that a run replaced, until the run is finished: records.rule_runs."""

    run = ForeignKeyField(RuleRun, on_delete="CASCADE")
    image = ForeignKeyField(Image, on_delete="CASCADE", backref="+")
    choice = TextField()
    destination = TextField()
    origin = TextField()
    criterion = TextField()
    order = ForeignKeyField(RuleRun, null=True, on_delete="SET NULL", backref="+")
    digest = BlobField()
    decided_ns = IntegerField()

    class Meta:
        table_name = "replaced_decision"
        primary_key = CompositeKey("run", "image")
        without_rowid = True
