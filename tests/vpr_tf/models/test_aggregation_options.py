import keras
import pytest

from vpr_tf.layers import ArithmeticMeanPooling2D, GeneralizedMeanPooling2D, MixVPR
from vpr_tf.models.aggregations import check_options, option_names


class Layer(keras.layers.Layer):
    def __init__(
        self,
        count: int,
        token: str | None = None,
        flag: bool = True,
        other: object = 3,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)


def test_names_are_those_of_the_layers_own_arguments():
    assert option_names(GeneralizedMeanPooling2D) == ("p", "epsilon")
    # Those of keras.layers.Layer are none of the config's business.
    assert option_names(ArithmeticMeanPooling2D) == ()


def test_right_options_pass():
    check_options("gem", GeneralizedMeanPooling2D, {"p": 3, "epsilon": 1e-6})
    check_options("mixvpr", MixVPR, {"out_rows": 4, "mlp_ratio": 0.5})
    check_options("x", Layer, {"count": 1, "token": None, "flag": False, "other": []})
    check_options("average", ArithmeticMeanPooling2D, {})


def test_unknown_options_list_the_known():
    message = "gem has no option bias, q. Known: p, epsilon, normalize_features."
    with pytest.raises(ValueError, match=message):
        check_options("gem", GeneralizedMeanPooling2D, {"q": 1, "bias": 2, "p": 3.0})
    with pytest.raises(ValueError, match=r"option dtype\. Known: normalize_f"):
        check_options("average", ArithmeticMeanPooling2D, {"dtype": "float16"})


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("count", 2.0, "`count` of the aggregation x must be a whole number.*: 2.0"),
        ("count", "2", "a whole number. Received: '2'"),
        ("count", True, "a whole number. Received: True"),
        ("token", 3, "must be a word or null. Received: 3"),
        ("flag", 1, "must be true or false. Received: 1"),
    ],
)
def test_wrong_types_are_named(option, value, message):
    with pytest.raises(ValueError, match=message):
        check_options("x", Layer, {option: value})


@pytest.mark.parametrize("value", ["three", None, True, [3]])
def test_a_number_is_wanted(value):
    with pytest.raises(ValueError, match="`p` of the aggregation gem must be a number"):
        check_options("gem", GeneralizedMeanPooling2D, {"p": value})
