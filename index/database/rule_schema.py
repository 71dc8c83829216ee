"""The table of the rules that are kept under a name."""

from peewee import AutoField, BooleanField, IntegerField, Model, TextField


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
