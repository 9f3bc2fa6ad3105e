"""Orders of a small retailer: one report a day, from an export that the shop system leaves in ``data/``.

    OrdersExport(day) ──▶ RegionOrders(region, day) ──▶ PricedOrders(region, day) ──▶ RegionRevenue(region) ──▶ SalesReport
                                                               ▲                └───▶ TopCustomers ───────────▶    ▲
                                               PriceList ──────┘

An ordinary Luigi module: nothing in it knows of Azure Pipelines. It also runs with
``python -m luigi --module retail.orders_pipeline SalesReport --date 2026-11-20 --local-scheduler``.
"""

import csv
import datetime
import hashlib
import hmac
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path

import luigi
from luigi.parameter import ParameterVisibility

REGIONS = ("north", "south", "west")
TOLERATED_REJECTS = Decimal("0.05")


class orders(luigi.Config):
    """Section ``[orders]`` of luigi.cfg: where files are."""

    data = luigi.PathParameter(default="data")
    output = luigi.PathParameter(default=os.environ.get("ORDERS_OUTPUT", "output"))


class OrdersExport(luigi.ExternalTask):
    """The shop system's export of one day. Personal data: it holds customer numbers."""

    date = luigi.DateParameter()

    def output(self):
        return luigi.LocalTarget(Path(orders().data) / f"orders-{self.date}.csv")


class PriceList(luigi.ExternalTask):
    def output(self):
        return luigi.LocalTarget(Path(orders().data) / "prices.csv")


class RegionOrders(luigi.Task):
    """The orders of one region and day, with a pseudonym in the place of each customer number."""

    region = luigi.ChoiceParameter(choices=REGIONS)
    date = luigi.DateParameter()

    def requires(self):
        return OrdersExport(date=self.date)

    def output(self):
        return result("orders", f"{self.date}-{self.region}.csv")

    def run(self):
        key = secret("CUSTOMER_PSEUDONYM_KEY")
        rows = [row for row in read(self.input()) if row["region"] == self.region]
        for row in rows:
            row["customer"] = hmac.new(key, row.pop("customer_id").encode(), hashlib.sha256).hexdigest()[:16]
        write(self.output(), ["order_id", "ordered_at", "region", "customer", "sku", "quantity"], rows)


class PricedOrders(luigi.Task):
    """Orders joined with the price list. Rows that make no sense are set aside; too many of them stop the run."""

    region = luigi.ChoiceParameter(choices=REGIONS)
    date = luigi.DateParameter()

    def requires(self):
        return {"orders": RegionOrders(region=self.region, date=self.date), "prices": PriceList()}

    def output(self):
        return {
            "priced": result("priced", f"{self.date}-{self.region}.csv"),
            "rejected": result("rejected", f"{self.date}-{self.region}.csv"),
        }

    def run(self):
        prices = {row["sku"]: Decimal(row["price"]) for row in read(self.input()["prices"])}
        priced, rejected = [], []
        for row in read(self.input()["orders"]):
            reason = self.reason_to_reject(row, prices)
            if reason:
                rejected.append({**row, "reason": reason})
            else:
                priced.append({**row, "amount": prices[row["sku"]] * int(row["quantity"])})
        self.check(len(rejected), len(priced) + len(rejected))
        columns = ["order_id", "ordered_at", "region", "customer", "sku", "quantity"]
        write(self.output()["priced"], [*columns, "amount"], priced)
        write(self.output()["rejected"], [*columns, "reason"], rejected)

    def reason_to_reject(self, row, prices):
        if row["sku"] not in prices:
            return "unknown article"
        if not row["quantity"].isdigit() or int(row["quantity"]) == 0:
            return "no quantity"
        return None

    def check(self, rejected, total):
        if total == 0:
            raise ValueError(f"no orders from {self.region} on {self.date}")
        if Decimal(rejected) / total > TOLERATED_REJECTS:
            raise ValueError(f"{rejected} of {total} orders from {self.region} on {self.date} are not usable")


class RegionRevenue(luigi.Task):
    """Revenue of one region, article by article."""

    region = luigi.ChoiceParameter(choices=REGIONS)
    date = luigi.DateParameter()
    days = luigi.IntParameter(default=2)

    def requires(self):
        return [PricedOrders(region=self.region, date=day) for day in last_days(self.date, self.days)]

    def output(self):
        return result("revenue", f"{self.date}-{self.region}.csv")

    def run(self):
        revenue = Counter()
        for day in self.input():
            for row in read(day["priced"]):
                revenue[row["sku"]] += Decimal(row["amount"])
        write(self.output(), ["sku", "revenue"], [{"sku": sku, "revenue": revenue[sku]} for sku in sorted(revenue)])


class TopCustomers(luigi.Task):
    """The customers with the highest turnover over all regions, by pseudonym."""

    date = luigi.DateParameter()
    days = luigi.IntParameter(default=2)
    regions = luigi.TupleParameter(default=REGIONS)

    def requires(self):
        days = last_days(self.date, self.days)
        return [PricedOrders(region=region, date=day) for region in self.regions for day in days]

    def output(self):
        return result("customers", f"{self.date}-top.csv")

    def run(self):
        turnover = Counter()
        files = self.input()
        for done, file in enumerate(files, start=1):
            for row in read(file["priced"]):
                turnover[row["customer"]] += Decimal(row["amount"])
            self.set_status_message(f"{done} of {len(files)} files, {len(turnover)} customers")
            self.set_progress_percentage(100 * done // len(files))
        best = sorted(turnover.items(), key=lambda item: (-item[1], item[0]))[:10]
        write(self.output(), ["customer", "turnover"], [{"customer": who, "turnover": amount} for who, amount in best])


class SalesReport(luigi.Task):
    """The report, and beside it a signature by which its readers know that it is ours."""

    date = luigi.DateParameter()
    days = luigi.IntParameter(default=2, description="How many days, the date is the last of them.")
    regions = luigi.TupleParameter(default=REGIONS)
    signing_key = luigi.OptionalStrParameter(
        default=None,
        significant=False,
        visibility=ParameterVisibility.PRIVATE,
        description="Instead of the environment variable REPORT_SIGNING_KEY.",
    )

    def requires(self):
        return {
            "revenue": {
                region: RegionRevenue(region=region, date=self.date, days=self.days) for region in self.regions
            },
            "customers": TopCustomers(date=self.date, days=self.days, regions=self.regions),
        }

    def output(self):
        return {"report": result("report.md"), "signature": result("report.md.sig")}

    def run(self):
        key = self.signing_key.encode() if self.signing_key else secret("REPORT_SIGNING_KEY")
        text = "\n".join(self.lines()) + "\n"
        with self.output()["report"].open("w") as file:
            file.write(text)
        with self.output()["signature"].open("w") as file:
            file.write(hmac.new(key, text.encode(), hashlib.sha256).hexdigest() + "\n")

    def lines(self):
        yield f"# Sales of {self.days} days up to {self.date}"
        yield ""
        yield "| region | revenue | best article |"
        yield "|---|---:|---|"
        for region, file in self.input()["revenue"].items():
            rows = [(Decimal(row["revenue"]), row["sku"]) for row in read(file)]
            yield f"| {region} | {sum(revenue for revenue, _ in rows):,.2f} | {max(rows)[1]} |"
        yield ""
        yield "| customer | turnover |"
        yield "|---|---:|"
        for row in read(self.input()["customers"]):
            yield f"| {row['customer']} | {Decimal(row['turnover']):,.2f} |"


def last_days(date, days):
    return [date - datetime.timedelta(days=back) for back in range(days - 1, -1, -1)]


def result(*parts):
    return luigi.LocalTarget(Path(orders().output).joinpath(*parts))


def secret(name):
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(f"the environment variable {name} is not set")
    return value.encode()


def read(target):
    with target.open("r") as file:
        return list(csv.DictReader(file))


def write(target, columns, rows):
    with target.open("w") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
