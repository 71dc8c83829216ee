"""The tables of vectors and of the model that makes them, in addition to those of `schema`."""

from peewee import BlobField, CompositeKey, FloatField, ForeignKeyField, IntegerField, Model, TextField

from index.database.fields import MessageField
from index.database.schema import Content


class Vector(Model):
    """The vectors of a picture by one model: int8, a row for each of the first `turns` of TURNS; empty where the model
    made none of it. Computed when a detection by that model first needs them."""

    content = ForeignKeyField(Content, on_delete="CASCADE")
    model = TextField()
    turns = IntegerField()
    data = BlobField()

    class Meta:
        primary_key = CompositeKey("content", "model")


class EmbeddingModel(Model):
    """The model of the configuration as it was last checked: records.vectors. One row."""

    id = IntegerField(primary_key=True)
    path = TextField()
    key = TextField()
    dimensions = IntegerField()
    milliseconds = FloatField()
    failure = MessageField()
    checked_ns = IntegerField()

    class Meta:
        table_name = "embedding_model"
