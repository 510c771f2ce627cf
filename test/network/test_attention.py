import pytest
import torch

from flashdepth_ros.network.attention import attend


@pytest.mark.parametrize(('tokens', 'others'), [(1, 1), (7, 7), (5, 13)])
def test_it_says_the_same_whether_it_is_to_learn_or_not(tokens, others):
    random = torch.Generator().manual_seed(0)
    query = torch.randn(2, tokens, 24, generator=random)
    key, value = torch.randn(2, 2, others, 24, generator=random)
    learning = attend(query, key, value, heads=3)
    with torch.no_grad():
        using = attend(query, key, value, heads=3)
    assert using.shape == (2, tokens, 24)
    torch.testing.assert_close(learning, using, atol=1e-6, rtol=0.0)


def test_heads_do_not_see_each_other():
    query, key, value = torch.randn(3, 1, 6, 8, generator=torch.Generator().manual_seed(1))
    changed = torch.cat((value[..., :4], 2.0 * value[..., 4:]), dim=-1)
    before, after = (attend(query, key, each, heads=2) for each in (value, changed))
    assert torch.equal(before[..., :4], after[..., :4])
    assert not torch.allclose(before[..., 4:], after[..., 4:])


def test_more_of_the_same_tokens_change_nothing():
    query, key, value = torch.randn(3, 1, 6, 8, generator=torch.Generator().manual_seed(2))
    twice = attend(query, torch.cat((key, key), 1), torch.cat((value, value), 1), heads=2)
    torch.testing.assert_close(twice, attend(query, key, value, heads=2))
