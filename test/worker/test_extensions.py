"""A library that builds on Luigi's Task keeps working: b2luigi."""

CODE = """
import os

import b2luigi

b2luigi.set_setting("result_dir", os.path.abspath("results"))

class Simulation(b2luigi.Task):
    event = b2luigi.IntParameter()

    def output(self):
        yield self.add_to_output("data.txt")

    def run(self):
        os.makedirs(os.path.dirname(self.get_output_file_name("data.txt")))
        with open(self.get_output_file_name("data.txt"), "w") as file:
            file.write(str(self.event))

class Analysis(b2luigi.Task):
    def requires(self):
        return [Simulation(event=event) for event in range(3)]

    def output(self):
        yield self.add_to_output("sum.txt")

    def run(self):
        names = self.get_input_file_names("data.txt")
        with open(self.get_output_file_name("sum.txt"), "w") as file:
            file.write(str(sum(int(open(name).read()) for name in names)))
"""


def test_b2luigi(run, folder):
    (folder / "physics.py").write_text(CODE)
    ended = run("physics", "Analysis")
    assert ended.status == 0, ended.describe()
    assert sorted(ended.ends().values()) == ["DONE"] * 4 and ended.one("asked")["complete"] is True
    assert next((folder / "results").rglob("sum.txt")).read_text() == "3"
    names = {target["name"].rpartition("/")[2] for event in ended.of("outputs") for target in event["targets"]}
    assert names == {"data.txt", "sum.txt"}
