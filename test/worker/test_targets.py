"""Every target type that Luigi ships, as a dataset: Luigi's own classes, made as users make them."""

import ast
import importlib
import inspect
import json
import sys
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import luigi
import pytest
from luigi import configuration
from luigi.mock import MockTarget

import plumbline_luigi.database_names
import plumbline_luigi.file_names
import plumbline_luigi.observed_task
from plumbline_luigi.targets import describe_target, targets_in

SECRET = "canary-91d0"


# Luigi's module imports what no target needs: a library for its client (which would slow every other test down), and a file
# that the wheel of Luigi 3.8.1 lacks.
for absent, names in {"azure.storage.blob": ["BlobServiceClient"], "luigi.contrib.mrrunner": []}.items():
    sys.modules.setdefault(absent, ModuleType(absent))
    vars(sys.modules[absent]).update(dict.fromkeys(names))


def make(place, **attributes):
    """A target with the attributes that its constructor gives it, where the constructor needs a library or a server."""
    module, _, name = place.rpartition(".")
    kind = getattr(importlib.import_module(f"luigi.contrib.{module}"), name)
    target = object.__new__(kind)
    vars(target).update(attributes)
    return target


def database(place, **more):
    known = {"host": "db.example", "port": 15, "database": "sales", "user": "u", "password": SECRET, "table": "orders"}
    return make(place, **{**known, "update_id": "1", **more})


def azure(**options):
    from luigi.contrib.azureblob import AzureBlobClient, AzureBlobTarget

    return AzureBlobTarget("raw", "2026/a.csv", client=AzureBlobClient(sas_token=SECRET, account_key=SECRET, **options))


def sql(url):
    return make("sqla.SQLAlchemyTarget", connection_string=url, target_table="orders", update_id="1", connect_args={})


def files(module, name, path, **more):
    return make(f"{module}.{name}", path=path, **more)


RDS = "cl1.abc.eu-west-1.redshift.amazonaws.com"
CASES = [
    (lambda: luigi.LocalTarget("/data/a.csv"), "LocalTarget", "file", "/data/a.csv"),
    (lambda: luigi.LocalTarget(Path("/data/x/../a.csv")), "LocalTarget", "file", "/data/a.csv"),
    (lambda: MockTarget("m"), "MockTarget", None, None),
    (lambda: files("simulate", "RunAnywayTarget", "", task_id="T"), "RunAnywayTarget", None, None),
    (lambda: files("s3", "S3Target", "s3://bucket/a/b?.csv"), "S3Target", "s3://bucket", "a/b?.csv"),
    (lambda: files("s3", "S3FlagTarget", "s3n://bucket/a/"), "S3FlagTarget", "s3://bucket", "a/"),
    (lambda: files("s3", "S3EmrTarget", "s3a://bucket/a/"), "S3EmrTarget", "s3://bucket", "a/"),
    (lambda: files("gcs", "GCSTarget", "gs://bucket/a.csv"), "GCSTarget", "gs://bucket", "a.csv"),
    (lambda: files("gcs", "GCSFlagTarget", "gs://bucket/a/"), "GCSFlagTarget", "gs://bucket", "a/"),
    (lambda: files("hdfs.target", "HdfsTarget", "hdfs://nn:8020/a"), "HdfsTarget", "hdfs://nn:8020", "/a"),
    (lambda: files("hdfs.target", "HdfsTarget", "/a/b"), "HdfsTarget", "hdfs://name:9000", "/a/b"),
    (lambda: files("hdfs.target", "HdfsFlagTarget", "/a/b/"), "HdfsFlagTarget", "hdfs://name:9000", "/a/b/"),
    (lambda: files("webhdfs", "WebHdfsTarget", "/a"), "WebHdfsTarget", "hdfs://name:9000", "/a"),
    (lambda: azure(account_name="acc"), "AzureBlobTarget", "wasbs://raw@acc.dfs.core.windows.net", "2026/a.csv"),
    (
        lambda: azure(account_name="acc", endpoint_suffix="core.chinacloudapi.cn"),
        "AzureBlobTarget",
        "wasbs://raw@acc.dfs.core.chinacloudapi.cn",
        "2026/a.csv",
    ),
    (
        lambda: azure(connection_string=f"DefaultEndpointsProtocol=https;AccountName=acc2;AccountKey={SECRET}=="),
        "AzureBlobTarget",
        "wasbs://raw@acc2.dfs.core.windows.net",
        "2026/a.csv",
    ),
    (lambda: azure(), "AzureBlobTarget", None, None),
    (
        lambda: importlib.import_module("luigi.contrib.ftp").RemoteTarget("/a", "ftp.example", password=SECRET),
        "RemoteTarget",
        "file://ftp.example",
        "/a",
    ),
    (
        lambda: importlib.import_module("luigi.contrib.ssh").RemoteTarget("/a", f"me:{SECRET}@ssh.example"),
        "RemoteTarget",
        "file://ssh.example",
        "/a",
    ),
    (lambda: files("dropbox", "DropboxTarget", "/a", token=SECRET), "DropboxTarget", "dropbox", "/a"),
    (lambda: database("postgres.PostgresTarget"), "PostgresTarget", "postgres://db.example:15", "sales.public.orders"),
    (lambda: database("postgres.PostgresTarget", table="s.t"), "PostgresTarget", "postgres://db.example:15", "sales.s.t"),
    (lambda: database("redshift.RedshiftTarget", host=RDS), "RedshiftTarget", "redshift://cl1.eu-west-1:15", "sales.public.orders"),
    (lambda: database("mysqldb.MySqlTarget"), "MySqlTarget", "mysql://db.example:15", "sales.orders"),
    (lambda: database("mssqldb.MSSqlTarget"), "MSSqlTarget", "mssql://db.example:15", "sales.dbo.orders"),
    (lambda: sql(f"postgresql+psycopg2://u:{SECRET}@h/d"), "SQLAlchemyTarget", "postgres://h:5432", "d.public.orders"),
    (lambda: sql(f"mysql://u:p/{SECRET}@x@h:1/d?a=b"), "SQLAlchemyTarget", "mysql://h:1", "d.orders"),
    (lambda: sql(f"mssql+pyodbc://u:{SECRET}?@h/d"), "SQLAlchemyTarget", "mssql://h:1433", "d.dbo.orders"),
    (lambda: sql(f"snowflake://u:{SECRET}@org-acc/db/schema"), "SQLAlchemyTarget", "snowflake://org-acc", "db.schema.orders"),
    (lambda: sql("bigquery://project/set"), "SQLAlchemyTarget", "bigquery", "project.set.orders"),
    (lambda: sql(f"redshift+x://u:{SECRET}@{RDS}:9/d"), "SQLAlchemyTarget", "redshift://cl1.eu-west-1:9", "d.public.orders"),
    (lambda: sql("sqlite:////data/a.db"), "SQLAlchemyTarget", "sqlite:///data/a.db", "orders"),
    (lambda: sql("sqlite://"), "SQLAlchemyTarget", None, None),
    (lambda: sql("no url"), "SQLAlchemyTarget", None, None),
    (
        lambda: make("bigquery.BigQueryTarget", table=SimpleNamespace(project_id="p", dataset_id="d", table_id="t")),
        "BigQueryTarget",
        "bigquery",
        "p.d.t",
    ),
    (lambda: make("hive.HiveTableTarget", database="d", table="t"), "HiveTableTarget", "hive://meta:9083", "d.t"),
    (lambda: make("hive.HivePartitionTarget", database="d", table="t"), "HivePartitionTarget", "hive://meta:9083", "d.t"),
    (
        lambda: make("presto.PrestoTarget", catalog="c", database="d", table="t"),
        "PrestoTarget",
        "presto://coordinator:8443",
        "c.d.t",
    ),
    (lambda: make("mongodb.MongoCellTarget", _index="i", _collection="c"), "MongoCellTarget", "mongodb", "i.c"),
    (
        lambda: make("esindex.ElasticsearchTarget", host=f"https://u:{SECRET}@es", port=9200, index="i", http_auth=SECRET),
        "ElasticsearchTarget",
        "elasticsearch://es:9200",
        "i",
    ),
    (lambda: make("redis_store.RedisTarget", host="r", port=6379, db=2, update_id="u", password=SECRET), "RedisTarget", "redis://r:6379", "2.u"),
]


@pytest.fixture(autouse=True)
def places():
    config = configuration.get_config()
    for section, known in {
        "hdfs": {"namenode_host": "name", "namenode_port": "9000"},
        "hive": {"metastore_host": "meta", "metastore_port": "9083"},
        "presto": {"host": "coordinator", "port": "8443"},
    }.items():
        for option, value in known.items():
            config.set(section, option, value)


@pytest.mark.parametrize(("build", "kind", "namespace", "name"), CASES)
@pytest.mark.filterwarnings("ignore")
def test_a_target_of_luigi(build, kind, namespace, name):
    described = describe_target(build(), True)
    expected = {"type": kind, "exists": True, **({"namespace": namespace, "name": name} if namespace else {})}
    assert described == expected
    assert SECRET not in json.dumps(described)


def test_every_target_type_that_luigi_ships_is_known():
    named = {**plumbline_luigi.file_names.BY_CLASS, **plumbline_luigi.database_names.BY_CLASS}
    root = Path(luigi.__file__).parent
    shipped = set()
    for file in root.rglob("*.py"):
        module = "luigi." + ".".join(file.relative_to(root).with_suffix("").parts)
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name.endswith("Target") and node.name not in ("Target", "FileSystemTarget"):
                shipped.add((module, node.name))
    assert shipped - set(named) == set() and set(named) - shipped == set()


def test_classes_of_the_user():
    class Csv(luigi.LocalTarget):
        pass

    class Vault(luigi.target.FileSystemTarget):
        fs = None

        def open(self, mode="r"):
            raise AssertionError("nobody opens")

    class Wrapped(luigi.Target):
        def __init__(self):
            self._target = luigi.LocalTarget("/data/w")

        def exists(self):
            raise AssertionError("nobody asks")

    assert describe_target(Csv("/data/c")) == {"type": "LocalTarget", "namespace": "file", "name": "/data/c"}
    assert describe_target(Vault("/somewhere")) == {"type": "Vault"}
    shared = describe_target(Vault(f"https://u:{SECRET}@acc.blob.core.windows.net/raw/a.csv?sig={SECRET}#x"))
    assert shared == {"type": "Vault", "namespace": "https://acc.blob.core.windows.net", "name": "raw/a.csv"}
    abfss = describe_target(Vault("abfss://raw@acc.dfs.core.windows.net/a.csv"))
    assert (abfss["namespace"], abfss["name"]) == ("abfss://raw@acc.dfs.core.windows.net", "a.csv")
    assert describe_target(Wrapped()) == {"type": "Wrapped", "namespace": "file", "name": "/data/w"}


def test_a_target_that_breaks_keeps_its_type():
    class Odd(luigi.LocalTarget):
        @property
        def path(self):
            raise OSError("no")

        @path.setter
        def path(self, _value):
            pass

    assert describe_target(Odd("x")) == {"type": "LocalTarget"}


def test_no_iterator_of_the_user_is_consumed():
    one = luigi.LocalTarget("/a")
    later = iter([luigi.LocalTarget("/b")])
    assert list(targets_in({"x": [one, None, "text"], "y": later})) == [one]
    assert next(later).path == "/b"


@pytest.mark.parametrize("method", ["complete", "input"])
def test_luigis_own_lines_that_we_stand_in_for_are_those_we_know(method):
    """If this fails Luigi has changed the method, and observed_task.py must follow."""
    known = {
        "complete": "outputs = flatten(self.output())\nif len(outputs) == 0:\n    warnings.warn('Task %r without outputs "
        "has no custom complete() method' % self, stacklevel=2)\n    return False\n"
        "return all(map(lambda output: output.exists(), outputs))",
        "input": "return getpaths(self.requires())",
    }
    original = getattr(plumbline_luigi.observed_task, f"ORIGINAL_{method.upper()}")
    function = ast.parse(textwrap.dedent(inspect.getsource(original))).body[0]
    assert "\n".join(ast.unparse(statement) for statement in function.body[1:]) == known[method]
