"""The losses in plain NumPy, float64, pixel by pixel as they were published."""

from __future__ import annotations

import numpy as np

from common.records import VOID


def probabilities(logits_BHWK: np.ndarray) -> np.ndarray:
    """Softmax; one logit is that of class 1 beside 0 for class 0."""
    logits = logits_BHWK.astype(np.float64)
    if logits.shape[-1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=-1)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def counted(mask_BHW: np.ndarray, logits_BHWK: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Truth [N] and probabilities [N, C] of the pixels that are not void."""
    inside = mask_BHW != VOID
    return mask_BHW[inside].astype(int), probabilities(logits_BHWK)[inside]


def cross_entropy(mask, logits, weight_C, label_smoothing=0.0):  # type: ignore[no-untyped-def]
    """−Σ w·Σ_c q_c·log p_c / Σ w with q the smoothed truth (Szegedy et al. 2016)."""
    total = weights = 0.0
    for truth, p_C in zip(*counted(mask, logits), strict=True):
        q_C = np.full(len(p_C), label_smoothing / len(p_C))
        q_C[truth] += 1 - label_smoothing
        total -= weight_C[truth] * (q_C * np.log(p_C)).sum()
        weights += weight_C[truth]
    return total / weights if weights else 0.0


def focal(mask, logits, weight_C, gamma):  # type: ignore[no-untyped-def]
    """−α·(1 − p)^γ·log p (Lin et al. 2017, equation 5), over Σ α."""
    total = weights = 0.0
    for truth, p_C in zip(*counted(mask, logits), strict=True):
        total -= weight_C[truth] * (1 - p_C[truth]) ** gamma * np.log(p_C[truth])
        weights += weight_C[truth]
    return total / weights if weights else 0.0


def tversky(mask, logits, alpha, beta):  # type: ignore[no-untyped-def]
    """1 − Σ p·g / (Σ p·g + α·Σ p·(1 − g) + β·Σ (1 − p)·g) (Salehi et al. 2017), mean over classes present."""
    truth_N, p_NC = counted(mask, logits)
    losses = []
    for c in np.unique(truth_N):
        p, g = p_NC[:, c], (truth_N == c).astype(float)
        losses.append(1 - (p * g).sum() / ((p * g).sum() + alpha * (p * (1 - g)).sum() + beta * ((1 - p) * g).sum()))
    return float(np.mean(losses)) if losses else 0.0


def dice(mask, logits):  # type: ignore[no-untyped-def]
    """1 − 2·Σ p·g / (Σ p + Σ g), mean over classes present."""
    truth_N, p_NC = counted(mask, logits)
    shares = [(p_NC[:, c], truth_N == c) for c in np.unique(truth_N)]
    return float(np.mean([1 - 2 * p[g].sum() / (p.sum() + g.sum()) for p, g in shares])) if shares else 0.0


def jaccard(mask, logits):  # type: ignore[no-untyped-def]
    """1 − Σ p·g / (Σ p + Σ g − Σ p·g), mean over classes present."""
    truth_N, p_NC = counted(mask, logits)
    shares = [(p_NC[:, c], truth_N == c) for c in np.unique(truth_N)]
    return float(np.mean([1 - p[g].sum() / (p.sum() + g.sum() - p[g].sum()) for p, g in shares])) if shares else 0.0


def lovasz(mask, logits):  # type: ignore[no-untyped-def]
    """The extension of Δ(M) = |M| / |class ∪ M| (Berman et al. 2018, equations 5, 6, 9 and 12)."""
    inside = mask != VOID
    if logits.shape[-1] == 1:
        sign_N = np.where(mask[inside] == 1, 1.0, -1.0)
        hinge_N = np.maximum(1 - logits[inside][:, 0].astype(np.float64) * sign_N, 0)
        return _extension(hinge_N, set(np.flatnonzero(sign_N > 0)))
    truth_N, p_NC = counted(mask, logits)
    losses = []
    for c in np.unique(truth_N):
        error_N = np.where(truth_N == c, 1 - p_NC[:, c], p_NC[:, c])
        losses.append(_extension(error_N, set(np.flatnonzero(truth_N == c))))
    return float(np.mean(losses)) if losses else 0.0


def _extension(error_N: np.ndarray, of_class: set[int]) -> float:
    wrong: set[int] = set()
    total = before = 0.0
    for pixel in np.argsort(-error_N):
        wrong.add(int(pixel))
        now = len(wrong) / len(of_class | wrong)
        total += error_N[pixel] * (now - before)
        before = now
    return total
