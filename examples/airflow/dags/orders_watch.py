"""Looks at the rejected orders of a day and queues the pipeline that loads them again, when there are too many.

Everything here is stock: a SQL operator decides, HttpOperator asks the gateway, HttpSensor waits. The gateway knows the DAG by the
token in a file, which Kubernetes (or keep_token.py) renews; no password and no PAT is kept in Airflow.
"""

import os
from datetime import datetime, timedelta

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.common.sql.operators.sql import BranchSQLOperator, SQLExecuteQueryOperator
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor

# Where the volume with the service account's token is mounted. The file in it is named `plumbline-token`.
TOKEN_FOLDER = os.environ.get("PLUMBLINE_TOKEN_FOLDER", "/var/run/secrets/plumbline")

# Read each time a task starts. Airflow shows a field of this name as ***, in its database, pages, logs and lineage.
AUTHORIZATION = {"Authorization": "Bearer {% include 'plumbline-token' %}"}

# The lineage of the pipeline goes on from this DAG run, where Airflow has an OpenLineage transport.
PIPELINE_RUN = """
{
  "organization": "contoso",
  "project": "Retail",
  "pipeline": 12,
  "ref": "main",
  "templateParameters": { "day": {{ params.day | tojson }} },
  {% set lineage = macros.OpenLineageProviderPlugin %}
  {% if lineage is defined %}
  "lineage": {
    "parent": {
      "namespace": {{ lineage.lineage_job_namespace() | tojson }},
      "name": {{ lineage.lineage_job_name(ti) | tojson }},
      "runId": {{ lineage.lineage_run_id(ti) | tojson }}
    },
    "root": {
      "namespace": {{ lineage.lineage_root_job_namespace(ti) | tojson }},
      "name": {{ lineage.lineage_root_job_name(ti) | tojson }},
      "runId": {{ lineage.lineage_root_run_id(ti) | tojson }}
    }
  },
  {% endif %}
  "claimed": { "dagId": {{ dag.dag_id | tojson }}, "runId": {{ run_id | tojson }}, "taskId": {{ ti.task_id | tojson }} }
}
"""

with DAG(
    "orders_watch",
    description="Queues the pipeline orders-reload when too many orders of a day were rejected.",
    schedule=None,
    start_date=datetime(2026, 1, 1),
    catchup=False,
    template_searchpath=[TOKEN_FOLDER],
    params={
        "day": Param("2026-11-20", type="string", format="date", description="Of the orders."),
        "threshold": Param(3, type="integer", minimum=0, description="More rejected orders than that are too many."),
    },
):
    too_many_rejected = BranchSQLOperator(
        task_id="too_many_rejected",
        conn_id="orders_db",
        sql="SELECT COUNT(*) > {{ params.threshold }} FROM rejected_orders WHERE day = '{{ params.day }}'",
        follow_task_ids_if_true=["queue_pipeline"],
        follow_task_ids_if_false=["note_quiet_day"],
    )

    note_quiet_day = SQLExecuteQueryOperator(
        task_id="note_quiet_day",
        conn_id="orders_db",
        sql="INSERT OR REPLACE INTO quiet_days (day) VALUES (:day)",
        parameters={"day": "{{ params.day }}"},
    )

    queue_pipeline = HttpOperator(
        task_id="queue_pipeline",
        http_conn_id="plumbline_gateway",
        method="POST",
        endpoint="/v1/azure-devops/pipeline-runs",
        headers={
            **AUTHORIZATION,
            "Content-Type": "application/json",
            # The same in every retry, which therefore queues nothing twice; another one when somebody clears the task.
            "Idempotency-Key": "{{ dag.dag_id }}/{{ run_id | urlencode }}/{{ dag_run.clear_number }}",
        },
        data=PIPELINE_RUN,
        retries=2,
        retry_delay=timedelta(seconds=30),
    )

    # 404 while the pipeline runs, 200 when it succeeded; anything else fails the try, and a gateway that is away for a moment, too.
    pipeline_succeeded = HttpSensor(
        task_id="pipeline_succeeded",
        http_conn_id="plumbline_gateway",
        endpoint="/v1/azure-devops/pipeline-runs/{{ macros.json.loads(ti.xcom_pull('queue_pipeline')).id }}/outcome",
        headers=AUTHORIZATION,
        # The token is read anew each time; a worker is held for a moment only. Airflow takes a task for lost that it starts again
        # while the process of the time before still ends: no less than 10 s, more on a busy machine.
        mode="reschedule",
        poke_interval=timedelta(seconds=int(os.environ.get("ORDERS_POKE_SECONDS", "30"))),
        timeout=timedelta(hours=2),
        retries=2,
        retry_delay=timedelta(seconds=10),
    )

    too_many_rejected >> [queue_pipeline, note_quiet_day]
    queue_pipeline >> pipeline_succeeded
