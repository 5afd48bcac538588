"""Disturbances of the ECG that the encoder reads in training: noise, gain, lost leads, a later beginning.

The target stays clean, but begins as late.

Noise is added at the nine electrodes, so the identities between limb leads hold as in a real recording, and so does one
gain for all limb leads. Exchanged electrodes change the report too: see `training/exchanging.py`.

Letters: B records, L leads, T samples.
"""

import math
from typing import cast

import torch
from torch import Tensor, nn

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.models.cgdmer import Batch
from cgdmer.models.masking import Noise
from cgdmer.models.patches import samples_inside, to_millivolt
from cgdmer.signals.leads import ELECTRODES, LEADS, LEADS_OF_ELECTRODES, LIMB

NOISE_MV = (0.008, 0.15)
"""Range of the standard deviation of white and muscle noise at an electrode, drawn uniformly on a log scale."""
BURST_HZ = (0.2, 1.0)
"""How often muscle noise swells and fades."""
WANDER_MV, WANDER_HZ, WANDER_SINES = 0.5, (0.15, 0.7), 2
"""Largest amplitude of a sine at an electrode, range of its frequency, and sines per record."""
MAINS_MV, MAINS_HZ = 0.02, (50.0, 60.0)
"""Largest amplitude of mains hum at an electrode, and its two frequencies."""
LOST_SHARE = 0.4
"""Largest probability that a lead of a record that loses leads is lost."""


class Augmentation(nn.Module):
    """Draws disturbances per record and applies them to batches of signals."""

    leads_of_electrodes: Tensor

    def __init__(self, chosen: settings.Augmentation, signal: settings.Signal) -> None:
        """`signal` gives sampling rate and length; ConfigError for mains hum above half of the rate."""
        super().__init__()
        if chosen.mains > 0 and signal.fs <= 2 * max(MAINS_HZ):
            raise ConfigError(
                f"augmentation.mains = {chosen.mains} with signal.fs = {signal.fs:g}",
                allowed=f"signal.fs above {2 * max(MAINS_HZ):g}: slower sampling holds no mains hum",
                fix="set augmentation.mains: 0.0 in params.yaml",
            )
        self.settings, self.fs, self.samples = chosen, signal.fs, signal.samples
        self.register_buffer("leads_of_electrodes", torch.from_numpy(LEADS_OF_ELECTRODES), persistent=False)

    def draw(self, records: int, generator: torch.Generator) -> Noise:
        """Draw the random numbers behind the disturbances of `records` records; rows belong to records."""

        def draw(kind: str, *shape: int) -> Tensor:
            source = torch.rand if kind == "uniform" else torch.randn
            return source(records, *shape, generator=generator, device=generator.device)

        white = {"white": draw("normal", len(ELECTRODES), self.samples)} if self.settings.noise > 0 else {}
        others = {
            "of_noise": draw("uniform", 3),  # whether there is any, whether it is muscle noise, its amplitude
            "of_burst": draw("uniform", 2, len(ELECTRODES), 1),  # frequency and phase
            "of_wander": draw("uniform", 2),  # whether there is any, its amplitude
            "of_sine": draw("uniform", WANDER_SINES, 3, len(ELECTRODES), 1),  # frequency, phase and amplitude
            "of_mains": draw("uniform", 3),  # whether there is any, its amplitude, which frequency
            "of_hum": draw("uniform", 2, len(ELECTRODES), 1),  # phase and amplitude
            "gain": draw("normal", 1 + len(LEADS) - LIMB),  # of the record, of each chest lead
            "of_loss": draw("uniform", 2),  # whether leads are lost, the probability of each
            "lost": draw("uniform", len(LEADS)),
        }
        return white | others | ({"shift": draw("uniform")} if self.settings.shift > 0 else {})

    def shifted(self, batch: Batch, noise: Noise) -> Batch:
        """Return the batch with records that begin later and are padded at their end; none is `full` any more."""
        if self.settings.shift == 0:
            return batch
        signal, samples = batch["signal"], batch["signal"].shape[2]
        later = (noise["shift"] * self.settings.shift * self.fs).long()  # (B,)
        begin = torch.minimum(later, batch["valid"].long() // 2)  # (B,)
        valid = (batch["valid"] - begin).to(batch["valid"].dtype)  # (B,)
        time = torch.arange(samples, device=signal.device) + begin[:, None]  # (B, T)
        moved = signal.gather(2, time.clamp(max=samples - 1)[:, None, :].expand_as(signal))  # (B, 12, T)
        moved = moved * samples_inside(valid, samples)[:, None, :]  # (B, 12, T)
        return cast(Batch, {**batch, "signal": moved, "valid": valid, "full": False})

    def forward(self, batch: Batch, noise: Noise) -> Batch:
        """Return the batch with disturbed signals, float mV (B, 12, T), and lost leads marked as missing.

        Padding and missing leads stay as they are. `full` is False where leads may be lost.
        """
        with torch.autocast(batch["signal"].device.type, enabled=False):
            clean = to_millivolt(batch["signal"])  # (B, 12, T)
            added = self.leads_of_electrodes @ self.at_electrodes(noise, clean.shape[2])  # (B, 12, T)
            inside = samples_inside(batch["valid"], clean.shape[2])[:, None, :]  # (B, 1, T)
            recorded = inside & ~batch["missing"][:, :, None]  # (B, 12, T)
            signal = torch.where(recorded, clean * self.gains(noise)[:, :, None] + added, clean)  # (B, 12, T)
        missing = batch["missing"] | self.lost(batch["missing"], noise)  # (B, 12)
        full = batch["full"] and self.settings.lost_leads == 0
        return cast(Batch, {**batch, "signal": signal, "missing": missing, "full": full})

    def at_electrodes(self, noise: Noise, samples: int) -> Tensor:
        """Return the noise at the electrodes in mV (B, 9, `samples`)."""
        time = torch.arange(samples, device=noise["of_wander"].device) / self.fs  # (T,)
        total = noise["of_wander"].new_zeros(len(noise["of_wander"]), len(ELECTRODES), samples)  # (B, 9, T)
        if self.settings.noise > 0:
            total = total + self.white_or_muscle(noise, time)
        if self.settings.wander > 0:
            total = total + self.wander(noise, time)
        if self.settings.mains > 0:
            total = total + self.mains(noise, time)
        return total

    def white_or_muscle(self, noise: Noise, time: Tensor) -> Tensor:
        """Return white noise or, in half of the noisy records, muscle noise: high frequencies in bursts (B, 9, T)."""
        there, muscle, size = noise["of_noise"][:, :, None, None].unbind(1)  # each (B, 1, 1)
        low, high = NOISE_MV
        mv = low * (high / low) ** size * (there < self.settings.noise)  # (B, 1, 1)
        white = noise["white"][:, :, : len(time)]  # (B, 9, T)

        # differences of white noise have little power at low frequencies; a squared sine swells and fades
        difference = (white - white.roll(1, dims=2)) / math.sqrt(2)  # (B, 9, T)
        frequency, phase = noise["of_burst"].unbind(1)  # (B, 9, 1) twice
        swell = torch.sin(math.pi * (between(BURST_HZ, frequency) * time + phase)).square()  # (B, 9, T)
        return mv * torch.where(muscle < 0.5, difference * swell * math.sqrt(8 / 3), white)  # unit power on average

    def wander(self, noise: Noise, time: Tensor) -> Tensor:
        """Return slow sines, each electrode with its own frequency and phase (B, 9, T)."""
        there, size = noise["of_wander"][:, :, None, None].unbind(1)  # (B, 1, 1) twice
        mv = WANDER_MV * size * (there < self.settings.wander)  # (B, 1, 1)
        total = torch.zeros_like(mv)
        for sine in noise["of_sine"].unbind(1):
            frequency, phase, share = sine.unbind(1)  # each (B, 9, 1)
            total = total + share * torch.sin(2 * math.pi * (between(WANDER_HZ, frequency) * time + phase))  # (B, 9, T)
        return mv * total

    def mains(self, noise: Noise, time: Tensor) -> Tensor:
        """Return mains hum of one frequency per record (B, 9, T)."""
        there, size, which = noise["of_mains"][:, :, None, None].unbind(1)  # each (B, 1, 1)
        mv = MAINS_MV * size * (there < self.settings.mains)  # (B, 1, 1)
        frequency = torch.where(which < 0.5, *MAINS_HZ)  # (B, 1, 1)
        phase, share = noise["of_hum"].unbind(1)  # (B, 9, 1) twice
        return mv * share * torch.sin(2 * math.pi * (frequency * time + phase))  # (B, 9, T)

    def gains(self, noise: Noise) -> Tensor:
        """Return the factor on each lead (B, 12): one for the record, and one more for each chest lead."""
        record, chest = self.settings.gain * noise["gain"][:, :1], self.settings.chest_gain * noise["gain"][:, 1:]
        return torch.cat([record.expand(-1, LIMB), record + chest], 1).exp()

    def lost(self, missing: Tensor, noise: Noise) -> Tensor:
        """Return which leads are lost (B, 12); a record keeps at least one of those that are not `missing` (B, 12)."""
        there, share = noise["of_loss"][:, :, None].unbind(1)  # (B, 1) twice
        lost = (there < self.settings.lost_leads) & (noise["lost"] < LOST_SHARE * share)  # (B, 12)
        return lost & ~(lost | missing).all(1, keepdim=True)


def between(limits: tuple[float, float], uniform: Tensor) -> Tensor:
    """Map numbers in 0..1 to the range `limits`."""
    return limits[0] + (limits[1] - limits[0]) * uniform
