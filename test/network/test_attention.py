import pytest
import torch

from flashdepth_ros.network.attention import _attend_opaquely, attend


@pytest.mark.parametrize(('tokens', 'context_tokens'), [(1, 1), (7, 7), (5, 13)])
def test_training_and_inference_give_the_same_result(tokens, context_tokens):
    random = torch.Generator().manual_seed(0)
    query = torch.randn(2, tokens, 24, generator=random)
    key, value = torch.randn(2, 2, context_tokens, 24, generator=random)
    training = attend(query, key, value, heads=3)
    with torch.no_grad():
        inference = attend(query, key, value, heads=3)
    assert inference.shape == (2, tokens, 24)
    torch.testing.assert_close(training, inference, atol=1e-6, rtol=0.0)


def test_the_operation_for_the_compiler_gives_the_same_result():
    """From parts of one tensor, as the encoder's; the compiler gets shapes and strides right."""
    query, key, value = torch.randn(2, 7, 72, generator=torch.Generator().manual_seed(3)).split(
        24, -1
    )
    assert torch.equal(_attend_opaquely(query, key, value, 3), attend(query, key, value, 3))
    torch.library.opcheck(
        _attend_opaquely, (query, key, value, 3), test_utils=('test_schema', 'test_faketensor')
    )


def test_heads_are_independent():
    query, key, value = torch.randn(3, 1, 6, 8, generator=torch.Generator().manual_seed(1))
    changed = torch.cat((value[..., :4], 2.0 * value[..., 4:]), dim=-1)
    before, after = (attend(query, key, each, heads=2) for each in (value, changed))
    assert torch.equal(before[..., :4], after[..., :4])
    assert not torch.allclose(before[..., 4:], after[..., 4:])


def test_duplicated_context_tokens_change_nothing():
    query, key, value = torch.randn(3, 1, 6, 8, generator=torch.Generator().manual_seed(2))
    twice = attend(query, torch.cat((key, key), 1), torch.cat((value, value), 1), heads=2)
    torch.testing.assert_close(twice, attend(query, key, value, heads=2))
