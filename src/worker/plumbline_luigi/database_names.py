"""Namespace and name of Luigi's database and index targets."""

from __future__ import annotations

import os
import re

from luigi import configuration

_CONNECTION = re.compile(r"^(?P<dialect>\w+)(?:\+\w+)?://(?:.*@)?(?P<host>[^@/?]*)(?:/(?P<database>[^?]*))?", re.DOTALL)
_REDSHIFT = re.compile(r"^(?P<cluster>[^.]+)\.[^.]+\.(?P<region>[^.]+)\.redshift")
# dialect of SQLAlchemy -> scheme of OpenLineage, its default port, its default schema ("" where a table has none)
_DIALECTS = {
    "postgresql": ("postgres", 5432, "public"),
    "postgres": ("postgres", 5432, "public"),
    "mysql": ("mysql", 3306, ""),
    "mariadb": ("mysql", 3306, ""),
    "mssql": ("mssql", 1433, "dbo"),
}


def relational(scheme, port, schema):
    def name(target):
        known = vars(target)
        where = f"{known['host']}:{known.get('port') or port}"
        return f"{scheme}://{where}", _table(known["database"], known["table"], schema)

    return name


def redshift(target):
    known = vars(target)
    where, port = str(known["host"]), known.get("port") or 5439
    match = _REDSHIFT.match(where)
    where = f"{match['cluster']}.{match['region']}" if match else where
    return f"redshift://{where}:{port}", _table(known["database"], known["table"], "public")


def sqlalchemy(target):
    """By its connection string, of which only dialect, host, port and database are read."""
    known = vars(target)
    match = _CONNECTION.match(str(known["connection_string"]))
    if not match:
        return None
    dialect, host, database, table = match["dialect"], match["host"], match["database"] or "", known["target_table"]
    if dialect == "sqlite":
        return (f"sqlite://{os.path.abspath(database)}", table) if database and ":memory:" not in database else None
    if dialect == "snowflake":
        return f"snowflake://{host}", ".".join([*filter(None, database.split("/")), str(table)])
    if dialect == "bigquery":
        return "bigquery", ".".join(filter(None, [host, database, str(table)]))
    if dialect == "redshift":
        return redshift(_Known(host, database, table))
    scheme, port, schema = _DIALECTS.get(dialect, (dialect, "", ""))
    where = host if ":" in host or not port else f"{host}:{port}"
    return (f"{scheme}://{where}", _table(database, table, schema)) if host else None


class _Known:
    def __init__(self, host, database, table):
        self.host, _, port = host.partition(":")
        self.port, self.database, self.table = port or None, database, table


def bigquery(target):
    table = vars(target)["table"]
    return "bigquery", f"{table.project_id}.{table.dataset_id}.{table.table_id}"


def hive(target):
    known, config = vars(target), configuration.get_config()
    host, port = config.get("hive", "metastore_host", None), config.get("hive", "metastore_port", None)
    namespace = f"hive://{host}:{port}" if host and port else "hive"
    return namespace, f"{known['database']}.{known['table']}"


def presto(target):
    known, config = vars(target), configuration.get_config()
    host, port = config.get("presto", "host", "localhost"), config.get("presto", "port", 8090)
    return f"presto://{host}:{port}", f"{known['catalog']}.{known['database']}.{known['table']}"


def mongo(target):
    # The client would have to be asked for its host, and may connect to answer.
    known = vars(target)
    return "mongodb", f"{known['_index']}.{known['_collection']}"


def elasticsearch(target):
    known = vars(target)
    host = str(known["host"]).rpartition("@")[2].rpartition("://")[2]
    return f"elasticsearch://{host}:{known['port']}", known["index"]


def redis(target):
    known = vars(target)
    return f"redis://{known['host']}:{known['port']}", f"{known['db']}.{known['update_id']}"


def _table(database, table, schema):
    parts = [str(database), str(table)]
    if schema and "." not in parts[1]:
        parts.insert(1, schema)
    return ".".join(part for part in parts if part)


BY_CLASS = {
    ("luigi.contrib.postgres", "PostgresTarget"): relational("postgres", 5432, "public"),
    ("luigi.contrib.redshift", "RedshiftTarget"): redshift,
    ("luigi.contrib.mysqldb", "MySqlTarget"): relational("mysql", 3306, ""),
    ("luigi.contrib.mssqldb", "MSSqlTarget"): relational("mssql", 1433, "dbo"),
    ("luigi.contrib.sqla", "SQLAlchemyTarget"): sqlalchemy,
    ("luigi.contrib.bigquery", "BigQueryTarget"): bigquery,
    ("luigi.contrib.hive", "HivePartitionTarget"): hive,
    ("luigi.contrib.hive", "HiveTableTarget"): hive,
    ("luigi.contrib.presto", "PrestoTarget"): presto,
    ("luigi.contrib.mongodb", "MongoTarget"): mongo,
    ("luigi.contrib.mongodb", "MongoCellTarget"): mongo,
    ("luigi.contrib.mongodb", "MongoRangeTarget"): mongo,
    ("luigi.contrib.mongodb", "MongoCollectionTarget"): mongo,
    ("luigi.contrib.mongodb", "MongoCountTarget"): mongo,
    ("luigi.contrib.esindex", "ElasticsearchTarget"): elasticsearch,
    ("luigi.contrib.redis_store", "RedisTarget"): redis,
}
