"""What the database says to another binding of tenants to customers of Stripe."""

import psycopg

from platforma.billing.probes import look_at_customers
from platforma.database.roles import DatabaseRole
from platforma.kit.probes import Outcome
from tests.database.server import TestDatabase


def test_customers_are_bound_by_nobody_but_the_gate(process_database: TestDatabase) -> None:
    seen = look_at_customers(process_database.url(DatabaseRole.OPERATOR))
    assert len(seen) == 7
    assert {each.outcome for each in seen} == {Outcome.HELD}
    with psycopg.connect(process_database.administrator_url) as connection:
        connection.execute("GRANT ALL ON gate.stripe_customers TO platforma_operator")
        connection.commit()
        try:
            open_ = look_at_customers(process_database.url(DatabaseRole.OPERATOR))
        finally:
            connection.execute("REVOKE ALL ON gate.stripe_customers FROM platforma_operator")
    outcomes = {each.subject: each.outcome for each in open_}
    wrong = {"nobody writes it", "write a customer", "replace a customer", "unbind a customer"}
    assert {subject for subject, outcome in outcomes.items() if outcome is Outcome.BYPASSED} == wrong
