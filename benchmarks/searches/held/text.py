"""The next character of a generated text: a language of words that follow one another by a fixed table."""

import torch
from torch import Tensor, nn

from sweeper import Dataset, Task

LENGTH = 16  # characters that the model reads
LETTERS = 26
WORDS = 60
FOLLOWERS = 4  # words that may follow a word
TRAIN, JUDGE = 512, 1000  # windows


class Block(nn.Module):
    """A transformer of one block, which predicts the character after the last one that it reads."""

    def __init__(self, width: int = 32, heads: int = 4, dropout: float = 0.1) -> None:
        super().__init__()
        self.embedding = nn.Embedding(LETTERS + 1, width)
        self.position = nn.Parameter(0.1 * torch.randn(LENGTH, width))
        self.norm, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.mix = nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(width, LETTERS + 1)

    def forward(self, text: Tensor) -> Tensor:
        """Return logits (N, 27) from characters (N, 16)."""
        x = self.embedding(text) + self.position
        n, length, width = x.shape
        parts = self.project(self.norm(x)).view(n, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = parts[0], parts[1], parts[2]
        weights = torch.softmax(query @ key.transpose(-1, -2) / (width // self.heads) ** 0.5, dim=-1)
        x = x + self.dropout(self.mix((weights @ value).transpose(1, 2).reshape(n, length, width)))
        x = x + self.dropout(self.feed(self.norm_after(x)))
        return self.out(x[:, -1])


def next_character(part: str) -> Task:
    """Return the task, judged by windows of the ``validation`` or the ``test`` part."""
    generator = torch.Generator().manual_seed(0)
    text = generated(generator, 40 * (TRAIN + 2 * JUDGE))
    starts = torch.randperm(len(text) // 20 - 1, generator=generator)[: TRAIN + 2 * JUDGE] * 20
    windows = text[starts[:, None] + torch.arange(LENGTH + 1)]
    train = windows[:TRAIN]
    judge = windows[TRAIN : TRAIN + JUDGE] if part == "validation" else windows[TRAIN + JUDGE :]
    data = Dataset.from_tensors(train[:, :-1], train[:, -1], judge[:, :-1], judge[:, -1], classes=LETTERS + 1)
    return Task(Block, data)


def generated(generator: torch.Generator, length: int) -> Tensor:
    """Return a text as numbers of characters, 0 for a space (length,)."""
    lengths = torch.randint(2, 7, (WORDS,), generator=generator).tolist()
    words = [torch.randint(1, LETTERS + 1, (n,), generator=generator).tolist() for n in lengths]
    followers = torch.randint(WORDS, (WORDS, FOLLOWERS), generator=generator).tolist()
    text: list[int] = []
    word = 0
    while len(text) < length:
        text += [*words[word], 0]
        word = followers[word][int(torch.randint(FOLLOWERS, (1,), generator=generator))]
    return torch.tensor(text[:length])
