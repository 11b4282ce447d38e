"""hepcat check: errors with their places, defaults, values with where they come from."""

import os
import re

import lib


def check(*args: str, env: dict | None = None) -> lib.Result:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HEPCAT")}
    return lib.run("check", *args, env={**clean, **(env or {})})


class Check(lib.Case):
    def values(self, *args: str, env: dict | None = None) -> dict[str, tuple[str, str]]:
        result = check("--show", *args, env=env)
        self.assertEqual((result.code, result.err), (0, ""), result)
        rows = [re.split(r"  +", line) for line in result.out.decode().splitlines()]
        self.assertEqual({len(row) for row in rows}, {3})
        return {row[0]: (row[1], row[2]) for row in rows}

    def test_good_file(self) -> None:
        result = check(self.file("c.yaml", "wal: {interval: 20ms}\n"))
        self.assertEqual((result.code, result.out, result.err), (0, b"", ""))

    def test_no_file(self) -> None:
        self.assertEqual(check().code, 0)

    def test_all_errors_with_places(self) -> None:
        path = self.file("c.yaml", "wal:\n  intervall: 1s\n  sync: maybe\nlisten:\n  - udp://:1\n  - x\nnode: 1\nnode: 2\n")
        result = check(path)
        self.assertEqual((result.code, result.out), (1, b""))
        self.assertEqual(result.err.splitlines(), [
            f"{path}:2:3: wal.intervall: unknown key, did you mean wal.interval?",
            f"{path}:3:9: wal.sync: 'maybe' is not one of interval|always|off",
            f"{path}:6:5: listen: 'x' does not begin with udp://, tcp://, tls://, http:// or https://",
            f"{path}:8:1: node: given twice, first in line 7",
        ])

    def test_files_that_cannot_be_read(self) -> None:
        for path in (str(self.tmp / "none.yaml"), str(self.tmp)):
            result = check(path)
            self.assertEqual(result.code, 1)
            self.assertTrue(result.err.startswith(f"{path}: "), result)

    def test_too_many_errors(self) -> None:
        result = check(self.file("c.yaml", "".join(f"qqq{i}: 1\n" for i in range(70))))
        self.assertEqual(result.code, 1)
        self.assertEqual(len(result.err.splitlines()), 51)
        self.assertEqual(result.err.splitlines()[-1], "20 more like these")

    def test_defaults(self) -> None:
        result = check("--defaults")
        self.assertEqual((result.code, result.err), (0, ""))
        path = self.file("d.yaml", result.out)
        given, default = self.values(path), self.values()
        self.assertEqual({k: v[0] for k, v in given.items()}, {k: v[0] for k, v in default.items()})
        self.assertEqual(default["data"], ("./data", "default"))
        self.assertTrue(given["data"][1].startswith(path))

    def test_documentation_is_complete(self) -> None:
        text = (lib.ROOT / "docs" / "config.md").read_text()
        self.assertEqual(text.split("```yaml\n")[1].split("```\n")[0], check("--defaults").out.decode())

    def test_show(self) -> None:
        path = self.file("c.yaml", "data: /from/file\nnode: 1\nmemory: 1GB\nhttp:\n  token: hunter2\n")
        env = {"HEPCAT_NODE": "2", "HEPCAT_MEMORY": "2GB", "HEPCAT_HEP_KEYS": "hunter3,hunter4"}
        values = self.values(path, "--memory", "3GB", "--listen", "udp://:1", "--listen", "tcp://:2", env=env)
        self.assertEqual(values["data"], ("/from/file", f"{path}:1"))
        self.assertEqual(values["node"], ("2", "environment HEPCAT_NODE"))
        self.assertEqual(values["memory"], ("3GB", "flag --memory"))
        self.assertEqual(values["listen"], ("udp://:1, tcp://:2", "flag --listen"))
        self.assertEqual(values["http.token"], ("********", f"{path}:5"))
        self.assertEqual(values["hep.keys"], ("********, ********", "environment HEPCAT_HEP_KEYS"))
        self.assertEqual(values["wal.sync"], ("interval", "default"))

    def test_file_of_the_environment(self) -> None:
        path = self.file("c.yaml", "node: 5\n")
        other = self.file("d.yaml", "node: 6\n")
        self.assertEqual(self.values(env={"HEPCAT_CONFIG": path})["node"][0], "5")
        self.assertEqual(self.values("--config", other, env={"HEPCAT_CONFIG": path})["node"][0], "6")

    def test_environment_and_flags_are_checked(self) -> None:
        result = check("--http", "0.0.0.0:80", env={"HEPCAT_LOG_LEVEL": "loud", "HEPCAT_LOGLEVEL": "info",
                                                     "HEPCAT_PORT": "tcp://10.0.0.1:9060"})
        self.assertEqual(result.code, 1)
        self.assertEqual(result.err.splitlines(), [
            "HEPCAT_LOG_LEVEL: 'loud' is not one of error|warning|info|debug",
            "warning: HEPCAT_LOGLEVEL: unknown variable, did you mean HEPCAT_LOG_LEVEL?",
            "--http: an address that is not loopback needs a token (http.token)",
        ])

    def test_usage(self) -> None:
        for args in (["a", "b"], ["--defaults", "a"], ["--defaults", "--show"], ["--nonsense"], ["a", "--config", "b"]):
            self.assertEqual(check(*args).code, 2, args)
        result = check("--help")
        self.assertEqual(result.code, 0)
        for flag in (b"--listen URL...", b"--data DIR", b"--log-level LEVEL"):
            self.assertIn(flag, result.out)


if __name__ == "__main__":
    lib.main()
