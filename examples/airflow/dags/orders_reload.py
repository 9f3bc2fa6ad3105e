"""Loads the rejected orders of a day again. RunAirflow@1 of azure-pipelines.yml starts it."""

from datetime import datetime

from airflow.providers.common.compat.sdk import DAG, Asset, Param
from airflow.providers.common.sql.operators.sql import SQLCheckOperator, SQLExecuteQueryOperator

DAY = {"day": "{{ params.day }}"}


def first_value(cursor):
    return cursor.fetchone()[0]


with DAG(
    "orders_reload",
    description="Takes the rejected orders of a day into the table of orders.",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    # The step checks the conf against this before it starts anything.
    params={"day": Param("2026-11-20", type="string", format="date", description="Of the orders.")},
):
    load = SQLExecuteQueryOperator(
        task_id="load",
        conn_id="orders_db",
        sql=[
            "INSERT INTO orders SELECT id, day, shop, cents FROM rejected_orders WHERE day = :day",
            "DELETE FROM rejected_orders WHERE day = :day",
        ],
        parameters=DAY,
        outlets=[Asset("sqlite://orders/orders")],
    )

    none_left = SQLCheckOperator(
        task_id="none_left",
        conn_id="orders_db",
        sql="SELECT COUNT(*) = 0 FROM rejected_orders WHERE day = :day",
        parameters=DAY,
    )

    total = SQLExecuteQueryOperator(
        task_id="total",
        conn_id="orders_db",
        sql="SELECT COUNT(*) || ' orders of ' || COALESCE(SUM(cents), 0) || ' cents' FROM orders WHERE day = :day",
        parameters=DAY,
        # What it pushes is the result of the pipeline step.
        handler=first_value,
    )

    load >> none_left >> total
