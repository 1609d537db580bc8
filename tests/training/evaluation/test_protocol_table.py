"""The table of the protocols."""

from training.evaluation.protocol_table import ProtocolScore, protocol_records, protocol_table


def test_the_table_names_the_leak() -> None:
    scores = [ProtocolScore("random_folds", "A", (0.5, 0.7)), ProtocolScore("fault_filtered", "A", (0.4,))]
    table = protocol_table(protocol_records(scores))
    assert "leaking artists" in table
    assert "| A | 0.400 ± 0.000 |  | 0.600 ± 0.100 |" in table
