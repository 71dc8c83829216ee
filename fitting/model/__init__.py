"""The recipe of the model that ships: training, export, figures. docs/model-card.md says what came of it."""
