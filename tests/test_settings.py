"""Settings are strict and typed, their errors name the closest key, and `docs/settings.md` lists every field."""

from pathlib import Path

import pytest
import yaml

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.settings import manual, profiles

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = {
    path: section
    for name, field in settings.Settings.model_fields.items()
    for path, section in manual.sections(name, field.annotation)
}


@pytest.fixture
def content() -> dict:
    return yaml.safe_load((ROOT / "params/demo.yaml").read_text())


def test_shipped_params_load():
    assert settings.load(ROOT / "params.yaml").matrix.sources


@pytest.mark.parametrize("profile", sorted(path.stem for path in (ROOT / "params").glob("*.yaml")))
def test_every_profile_loads_and_states_only_known_keys(profile, content):
    overlay = settings.read(ROOT / "params" / f"{profile}.yaml")
    settings.parse(settings.merge(content, overlay))


def test_demo_profile_states_every_field_so_that_dvc_sees_each(content):
    assert settings.parse(content).model_dump() == content


@pytest.mark.parametrize(
    ("path", "key", "near"),
    [(("train",), "lrr", "lr"), (("corpora", "ptb_xl"), "seedd", "seed"), ((), "modle", "model")],
)
def test_unknown_key_is_refused_with_its_path_and_the_nearest(content, path, key, near):
    section = content
    for name in path:
        section = section[name]
    section[key] = 1
    with pytest.raises(ConfigError, match=f"{key}' is unknown; did you mean '{near}'"):
        settings.parse(content)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("train", "lr", -1.0), ("train", "epochs", "3"), ("masking", "kind", "spacial"), ("masking", "ratio", 1.0)],
)
def test_wrong_value_is_refused_with_its_path(content, section, key, value):
    content[section][key] = value
    with pytest.raises(ConfigError, match=f"{section}.{key}"):
        settings.parse(content)


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("probe.fractions", [[], [0.0], [2.0], [-1.0], [1.0, 10.0, 100.0]]),
        ("finetune.fractions", [[], [0.0], [2.0], [-1.0], [1.0, 10.0, 100.0]]),
        ("attentive.fractions", [[], [0.0], [2.0]]),
        ("probe.C", [[], [0.0], [-1.0]]),
        ("retrieval.recall_at", [[], [0], [-1]]),
        ("report.fraction", [-5.0, 0.0, 1.5]),
        ("signal.low", [0.0, -1.0, 50.0]),
        ("signal.high", [0.0, -1.0, 0.5, 0.25]),
        ("embed.control_seeds", [{"random": 0}, {"random": -1}]),
    ],
)
def test_a_number_that_cannot_be_meant_is_refused_with_its_path(content, path, values):
    section, key = path.split(".")
    for value in values:
        with pytest.raises(ConfigError, match=rf"'{section}\.{key}(\.\w+)?' = ") as error:
            settings.parse(settings.merge(content, {section: {key: value}}))
        assert error.value.fix == "edit params.yaml"


def test_corners_are_compared_with_each_other_and_with_the_rate(content):
    for signal, said in (
        ({"low": 45.0}, "is not above signal.low = 45.0"),
        ({"low": 60.0}, "is not below half of signal.fs = 100.0"),
    ):
        with pytest.raises(ConfigError, match=said):
            settings.parse(settings.merge(content, {"signal": signal}))
    without = settings.parse(settings.merge(content, {"signal": {"low": None, "high": 0.1}})).signal
    assert (without.low, without.high) == (None, 0.1)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("matrix.encoders", ["cgdmr"]), ("matrix.controls", ["handcrafted", "handcraftd"]),
        ("matrix.probed", ["randm"]), ("matrix.robustness", ["cgdmer", "base"]), ("embed.control_seeds", {"randm": 5}),
    ],
)  # fmt: skip
def test_an_encoder_that_does_not_exist_is_refused_with_its_path(content, key, value):
    section, name = key.split(".")
    content[section][name] = value
    with pytest.raises(ConfigError, match=rf"params\.yaml: '{key}' names '\w+', which is no encoder") as error:
        settings.parse(content)
    assert "cgdmer_base, ecg_fm" in error.value.allowed


def test_a_misspelt_encoder_is_refused_with_the_nearest_name(content):
    content["matrix"]["controls"] = ["handcraftd"]
    with pytest.raises(ConfigError, match="did you mean 'handcrafted'"):
        settings.parse(content)


@pytest.mark.parametrize("name", ["../cgdmer", "", "a\nb", "x" * 5000, "__init__", "adapter", "base"])
def test_a_name_that_is_no_encoder_s_is_refused_briefly(content, name):
    content["matrix"]["controls"] = [name]
    with pytest.raises(ConfigError, match=r"'matrix\.controls' names") as error:
        settings.parse(content)
    assert len(str(error.value)) < 1000


def test_an_encoder_whose_weights_are_named_is_known(content):
    content["embed"]["outside"] = {"small_cnn": "data/outside/small_cnn"}
    content["matrix"]["controls"].append("small_cnn")
    assert "small_cnn" in settings.parse(content).matrix.controls


@pytest.mark.parametrize("lead", ["III", "aVR", "aVL", "aVF"])
def test_a_lead_set_from_which_an_encoder_computes_nothing_is_refused_with_its_path(content, lead):
    content["robustness"]["lead_sets"] = [["I"], [lead]]
    with pytest.raises(ConfigError, match=rf"'robustness\.lead_sets' holds {lead} alone, from which cgdmer can"):
        settings.parse(content)
    content["matrix"]["robustness"] = ["handcrafted"]
    settings.parse(content)
    content["matrix"]["robustness"] = ["cgdmer"]
    settings.parse(settings.merge(content, {"model": {"leads": "all"}}))


@pytest.mark.parametrize("leads", [[], ["I", "I"]])
def test_a_lead_set_of_no_lead_or_with_one_twice_is_refused_with_its_path(content, leads):
    content["robustness"]["lead_sets"] = [["I"], leads]
    with pytest.raises(ConfigError, match=r"'robustness\.lead_sets' = .* different leads"):
        settings.parse(content)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("heads", 5, "4 and 6"),
        ("decoder_heads", 12, "8 and 16"),
        ("text_heads", 10, "8 and 12"),
        ("width", 97, "1 and 97"),
    ],
)
def test_heads_that_do_not_divide_their_width_are_refused_with_the_nearest_that_do(content, key, value, allowed):
    content["model"][key] = value
    with pytest.raises(ConfigError, match=rf"model\.\w*heads' = .* does not divide model\.\w*width.*{allowed}"):
        settings.parse(content)


@pytest.mark.parametrize("nothing", [{"kind": "none"}, {"ratio": 0.0}])
def test_a_light_mask_where_nothing_is_hidden_is_refused(content, nothing):
    content["masking"] |= {"light_ratio": 0.25, **nothing}
    with pytest.raises(ConfigError, match="light_ratio must be null where nothing is hidden"):
        settings.parse(content)


def test_settings_are_frozen(content):
    with pytest.raises(ValueError, match="frozen"):
        settings.parse(content).train.lr = 1.0


def test_missing_and_malformed_files_say_so(tmp_path):
    with pytest.raises(ConfigError, match="is missing"):
        settings.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        settings.load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_text("- a")
    with pytest.raises(ConfigError, match="not a mapping"):
        settings.load(tmp_path / "params.yaml")


def test_yaml_is_only_safe_loaded(tmp_path):
    (tmp_path / "params.yaml").write_text("matrix: !!python/object/apply:os.getcwd []")
    with pytest.raises(ConfigError, match="not YAML"):
        settings.load(tmp_path / "params.yaml")


def test_profile_switches_there_and_back(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    for path in (ROOT / "params").glob("*.yaml"):
        (tmp_path / "params" / path.name).write_text(path.read_text())
    (tmp_path / "params" / "quick.yaml").write_text("train: {epochs: 1}\n")
    monkeypatch.chdir(tmp_path)
    profiles.switch("quick")
    assert settings.load().train.epochs == 1
    profiles.switch("demo")
    assert (tmp_path / "params.yaml").read_text() == (ROOT / "params/demo.yaml").read_text()
    with pytest.raises(ConfigError, match="did you mean 'quick'"):
        profiles.switch("quik")


def test_profile_with_an_unknown_key_is_not_written(tmp_path, monkeypatch):
    (tmp_path / "params").mkdir()
    (tmp_path / "params/demo.yaml").write_text((ROOT / "params/demo.yaml").read_text())
    (tmp_path / "params/bad.yaml").write_text("train: {epoch: 1}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"train\.epoch' is unknown; did you mean 'epochs'"):
        profiles.switch("bad")
    assert not (tmp_path / "params.yaml").exists()


def test_manual_is_current():
    written = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert written == manual.write(ROOT), "run: python -m cgdmer.settings.manual > docs/settings.md"


@pytest.mark.parametrize("path", SECTIONS)
def test_every_field_and_section_is_described_in_full_sentences(path):
    section = SECTIONS[path]
    texts = [section.__doc__, *(field.description for field in section.model_fields.values())]
    assert all(text and text.strip().endswith(".") for text in texts)


def test_manual_covers_nested_sections():
    assert set(SECTIONS) >= {*settings.Settings.model_fields} - {"corpora"}
    assert SECTIONS["corpora.<source>"] is settings.Corpus
    assert SECTIONS["embed.outside.<encoder>"] is settings.WeightsFile
    assert {settings.Noise, settings.Exchange, settings.Drop} <= set(SECTIONS.values())


def test_manual_states_type_limits_default_demo_value_and_stages():
    text = manual.write(ROOT)
    assert "| `heads` | integer, at least 1 | `4` | `2` |" in text
    assert "| `warmup` | number, at least 0, below 1 | `0.1` |" in text
    assert "`4000` mimic_iv_ecg<br>`1200` ptb_xl" in text
    assert "DVC stages: `probe`, `robustness`, `measurements`." in text
    assert "| `temporal_masking` | Ablation:" in text
