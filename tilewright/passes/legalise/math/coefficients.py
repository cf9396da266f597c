"""Polynomials of the expansions, written by ``tests/fit_coefficients.py``: lowest power first."""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.ir.types import F32, F64, DType

Coefficients = Mapping[DType, tuple[float, ...]]


def _hex(text: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, text.split()))


# (2^f - 1) / f on |f| <= 1/2
EXP2: Coefficients = {
    F32: _hex(
        "0x1.62e4300000000p-1 0x1.ebfbe00000000p-3 0x1.c6b08e0000000p-5 0x1.3b2a1c0000000p-7 "
        "0x1.5d879e0000000p-10 0x1.4440000000000p-13 0x1.00a5820000000p-16 "
    ),
    F64: _hex(
        "0x1.62e42fefa39efp-1 0x1.ebfbdff82c58fp-3 0x1.c6b08d704a0c0p-5 0x1.3b2ab6fba4e7bp-7 "
        "0x1.5d87fe78a6732p-10 0x1.430912f86ac5bp-13 0x1.ffcbfc5889cb0p-17 0x1.62c022460176ep-20 "
        "0x1.b5253d41fa178p-24 0x1.e4cf03bac04a7p-28 0x1.e8ca8dd465e8bp-32 0x1.c4b5b04b1e8f9p-36 "
        "0x1.8219217906555p-40 "
    ),
}
# (tanh(s)/s - 1)/z, z = s^2, on s <= 0.6
TANH: Coefficients = {
    F32: _hex(
        "-0x1.5555560000000p-2 0x1.1110f60000000p-3 -0x1.ba0d900000000p-5 0x1.64fa980000000p-6 "
        "-0x1.1393040000000p-7 0x1.36b4f80000000p-9 "
    ),
    F64: _hex(
        "-0x1.5555555555555p-2 0x1.1111111111111p-3 -0x1.ba1ba1ba1ba19p-5 0x1.664f4882c0f78p-6 "
        "-0x1.226e355e6407dp-7 0x1.d6d3d0de0de2fp-9 -0x1.7da363e311be5p-10 0x1.35581a537788bp-11 "
        "-0x1.f57c26b30dc07p-13 0x1.966e6b5ac407cp-14 -0x1.48f5d70a96af0p-15 0x1.07c1c4ecc726ep-16 "
        "-0x1.936878246e19ap-18 0x1.040d901d8b1e5p-19 -0x1.928c09bac407fp-22 "
    ),
}
# erf(s)/s - 1, z = s^2, on s <= 0.9
ERF: Coefficients = {
    F32: _hex(
        "0x1.06eba80000000p-3 -0x1.8127440000000p-2 0x1.ce2e5a0000000p-4 -0x1.b815b00000000p-6 "
        "0x1.550f520000000p-8 -0x1.acce680000000p-11 0x1.6599340000000p-14 "
    ),
    F64: _hex(
        "0x1.06eba8214db69p-3 -0x1.812746b0379e7p-2 0x1.ce2f21a042be1p-4 -0x1.b82ce31288b25p-6 "
        "0x1.565bcd0e699e6p-8 -0x1.c02db400089dep-11 0x1.f9a326ee7ac03p-14 -0x1.f4d25ab63f61ep-17 "
        "0x1.b9e6a4a2689fep-20 -0x1.5f71af758be3ap-23 0x1.fc89082f0ed0cp-27 -0x1.4fdde583d674ep-30 "
        "0x1.888a711c234bcp-34 -0x1.44a5dec065079p-38 "
    ),
}
# -log(erfc(1 + u)), on 0.9 <= 1 + u <= 4 (f32), 6 (f64)
ERF_TAIL: Coefficients = {
    F32: _hex(
        "0x1.d97fc00000000p+0 0x1.51c9ae0000000p+1 0x1.afab860000000p-1 0x1.5499f40000000p-5 "
        "-0x1.4a79860000000p-7 0x1.0ea4f00000000p-9 -0x1.5791fc0000000p-12 0x1.2c29120000000p-15 "
        "-0x1.26567e0000000p-19 0x1.7e47d00000000p-25 "
    ),
    F64: _hex(
        "0x1.d97fbf27aa2a1p+0 0x1.51c9b0006c23dp+1 0x1.afabc11a28f37p-1 0x1.5477f09ca944dp-5 "
        "-0x1.48c9d40c0638ap-7 0x1.033f699472acdp-9 -0x1.f1b4bba823840p-13 -0x1.b8be52e49de0dp-16 "
        "0x1.c759dbeaf358bp-16 -0x1.415b2bad54990p-17 0x1.0ee9dd5926cd9p-19 -0x1.b9a5eea78031bp-24 "
        "-0x1.0f1162fa6614bp-23 0x1.1e65f36e75518p-24 -0x1.510a2275a4b6fp-26 0x1.b787455172e91p-29 "
        "0x1.10ccc61cc4a4cp-32 -0x1.bd21d2e8cbb9fp-32 0x1.82ddeffb79ccap-33 -0x1.d1b9e094d694fp-35 "
        "0x1.b726b3cffa623p-37 -0x1.500b85c4dbbabp-39 0x1.a4fb0cfa9a71ep-42 -0x1.adda9428483c8p-45 "
        "0x1.60e97931259e6p-48 -0x1.c72479742819cp-52 0x1.bc20a7edd396ap-56 -0x1.343f67a5e4cf5p-60 "
        "0x1.0f223619bfd74p-65 -0x1.c64204feea4b7p-72 "
    ),
}
# (sin(r)/r - 1)/z, z = r^2, on r <= pi/4
SIN: Coefficients = {
    F32: _hex("-0x1.555555545dd83p-3 0x1.11110deeb33b2p-7 -0x1.a013a6edc8f34p-13 0x1.6dbdd26f56d2dp-19 "),
    F64: _hex(
        "-0x1.5555555555555p-3 0x1.1111111111111p-7 -0x1.a01a01a01a019p-13 0x1.71de3a556c2c7p-19 "
        "-0x1.ae64567e72f38p-26 0x1.61245fb4cbac1p-33 -0x1.ae7c5380b1d5fp-41 0x1.924296786f1a3p-49 "
    ),
}
# (cos(r) - 1 + z/2)/z^2
COS: Coefficients = {
    F32: _hex("0x1.5555555502be6p-5 -0x1.6c16bf5495185p-10 0x1.a015c40ec65ecp-16 -0x1.25242a3a17327p-22 "),
    F64: _hex(
        "0x1.5555555555555p-5 -0x1.6c16c16c16c17p-10 0x1.a01a01a01a019p-16 -0x1.27e4fb7789d97p-22 "
        "0x1.1eed8eff3359ap-29 -0x1.9397495419394p-37 0x1.ae7ce8a3f8ba5p-45 -0x1.65d2a22e5abfap-53 "
    ),
}
# (atan(t)/t - 1)/z, z = t^2, on t <= 1
ATAN: Coefficients = {
    F32: _hex(
        "-0x1.5555560000000p-2 0x1.99998c0000000p-3 -0x1.2490360000000p-3 0x1.c6d94a0000000p-4 "
        "-0x1.72251c0000000p-4 0x1.2fd2180000000p-4 -0x1.d7eaf80000000p-5 0x1.39fa7a0000000p-5 "
        "-0x1.3b92d40000000p-6 0x1.96cc740000000p-8 -0x1.eae3fc0000000p-11 "
    ),
    F64: _hex(
        "-0x1.5555555555555p-2 0x1.9999999999999p-3 -0x1.249249249246fp-3 0x1.c71c71c71b028p-4 "
        "-0x1.745d174591b05p-4 0x1.3b13b1343e08bp-4 -0x1.111110929b624p-4 0x1.e1e1d4cf8700dp-5 "
        "-0x1.af27eae310b89p-5 0x1.861490c92661dp-5 -0x1.6415c94e067c5p-5 0x1.47419a3f77446p-5 "
        "-0x1.2dc3e2d43e779p-5 0x1.1540903815bd4p-5 -0x1.f4dc03e1d00a4p-6 0x1.b33d68ec73608p-6 "
        "-0x1.617748127f117p-6 0x1.0378e37b32f90p-6 -0x1.4c82719755c52p-7 0x1.66c1ad748afc9p-8 "
        "-0x1.394c0270d5dc6p-9 0x1.a5f3475871f73p-11 -0x1.98d6cd1a1c2b9p-13 0x1.f9351f6a9495dp-16 "
        "-0x1.2a2184579ccdep-19 "
    ),
}
# (asin(s)/s - 1)/z, z = s^2, on s <= 1/2
ASIN: Coefficients = {
    F32: _hex(
        "0x1.5555560000000p-3 0x1.33331e0000000p-4 0x1.6dc0f00000000p-5 0x1.efede00000000p-6 "
        "0x1.82dbf00000000p-6 0x1.5a7a5e0000000p-7 0x1.fb81380000000p-6 "
    ),
    F64: _hex(
        "0x1.5555555555555p-3 0x1.3333333333334p-4 0x1.6db6db6db6c75p-5 0x1.f1c71c71dc24bp-6 "
        "0x1.6e8ba2e2f7317p-6 0x1.1c4ec5e00924ep-6 0x1.c99964e249bd7p-7 0x1.7a8b744f6f8a4p-7 "
        "0x1.3fa928ad04748p-7 0x1.14f81cb69bc60p-7 0x1.c22fbd5cdbb5ap-8 0x1.1e732719b67cbp-7 "
        "-0x1.646007ef092edp-9 0x1.b21d666ae0104p-6 -0x1.dff3651c44235p-6 0x1.06c65e9aca9dep-5 "
    ),
}
# (1 + 2a) e^(a^2) erfc(a), t = (a - 4)/(a + 4)
ERFCX: Coefficients = {
    F64: _hex(
        "0x1.3ba5916e9fd7fp+0 -0x1.1df1ad154a28ep-3 0x1.f7f5df66fd7c1p-7 0x1.16ecefcfa539ap-4 "
        "-0x1.9ddb23c3e912ep-4 0x1.7fee004e12477p-4 -0x1.0fb06dfe485f8p-4 0x1.3079edf685128p-5 "
        "-0x1.096238855c86cp-6 0x1.49c672851a25ep-8 -0x1.8d4a997ba6f72p-11 -0x1.a1df242bc6c58p-13 "
        "0x1.3be03130b435cp-13 -0x1.9959855960fd2p-16 -0x1.7881394aa85a1p-17 0x1.7f2d34ec7f1cap-18 "
        "0x1.384c8f16eea44p-22 -0x1.bb7d883fc7272p-21 0x1.52fd046dcaa72p-24 0x1.dfb108b800795p-24 "
        "-0x1.75382f2b1c696p-26 -0x1.15c521e871c7ap-26 0x1.f289c47a105e7p-29 0x1.63d945bb56a90p-29 "
        "-0x1.1d31f52b5b676p-32 -0x1.70a129e88988fp-32 -0x1.bb2e318450ae6p-35 "
    ),
}
# (log((1+s)/(1-s))/s - 2 - 2/3 z - 2/5 z^2)/z^3
LOG_TAIL: Coefficients = {
    F64: _hex(
        "0x1.2492492492492p-2 0x1.c71c71c71c823p-3 0x1.745d1745a3d74p-3 0x1.3b13b16b6085ep-3 "
        "0x1.1110f7fc82ca4p-3 0x1.e1effe75d53acp-4 0x1.acf7e0d5b9a26p-4 0x1.b2e4e67eba775p-4 "
    ),
}
# (sin(t)/t - 1 + z/6 - z^2/120)/z^3, t <= pi/2
SINE_TAIL: Coefficients = {
    F64: _hex(
        "-0x1.a01a01a01a01ap-13 0x1.71de3a556c734p-19 -0x1.ae64567f544e3p-26 0x1.6124613a86c4ep-33 "
        "-0x1.ae7f3e7323114p-41 0x1.952c76e669b61p-49 -0x1.2f49a0b350fa6p-57 0x1.71a91d62068d2p-66 "
        "-0x1.6f3f2449f4ab3p-75 "
    ),
}
# (e^r - the sum of r^k/k! for k < 13)/r^13
EXP_REST: Coefficients = {
    F64: _hex(
        "0x1.6124613a86d08p-33 0x1.93974a8c07c9cp-37 0x1.ae7f3e7350107p-41 0x1.ae7f3e734a751p-45 "
        "0x1.952c73abfb5a0p-49 0x1.682783cdc0cf7p-53 0x1.2f7629027f830p-57 0x1.e58363678e83ap-62 "
    ),
}
# erfinv(p)/p, u = -log(1 - p^2) - 3, on u <= 3
ERFINV_NEAR: Coefficients = {
    F32: _hex(
        "0x1.9fa0720000000p+0 0x1.eedbee0000000p-3 -0x1.780e1a0000000p-8 -0x1.b669700000000p-11 "
        "0x1.991e720000000p-13 -0x1.aa46be0000000p-17 -0x1.d8e4ea0000000p-20 0x1.e0b42c0000000p-22 "
        "-0x1.5a6f0a0000000p-26 -0x1.759ab60000000p-28 0x1.8531fa0000000p-31 "
    ),
    F64: _hex(
        "0x1.9fa072ed72dbbp+0 0x1.eedbebdce73e6p-3 -0x1.780def1d3f290p-8 -0x1.b6666b152b48ap-11 "
        "0x1.9912c04a41220p-13 -0x1.aab13d1c4e645p-17 -0x1.d539ca07f6b7bp-20 0x1.e32b0d53cd981p-22 "
        "-0x1.96f822c842abdp-26 -0x1.77b3a3f637279p-28 0x1.315594794133ep-30 -0x1.146b30158b40cp-35 "
        "-0x1.30dce21969f9ap-36 0x1.7bd2eee3f806dp-39 0x1.cf3822e6d0b89p-48 -0x1.dc620fcf740d2p-45 "
        "0x1.c5c6b14869867p-48 0x1.33bb2b81b9d1ep-52 -0x1.6bb7b0156814dp-53 0x1.f9a304a0ebcf0p-57 "
        "0x1.f247288d5bdfbp-60 -0x1.0b55e20f1c210p-61 0x1.60e44f7aa8932p-68 0x1.05de4096aeb52p-67 "
        "-0x1.4bea50e81f1fap-72 -0x1.d10caab572152p-75 "
    ),
}
# erfinv(p)/p, u = sqrt(-log(1 - p^2)) - 3.25, up to 4.1
ERFINV_MIDDLE: Coefficients = {
    F32: _hex(
        "0x1.8abcc40000000p+1 0x1.0158a60000000p+0 0x1.600b0e0000000p-8 -0x1.eb97fe0000000p-9 "
        "0x1.45423c0000000p-9 -0x1.bb64f20000000p-10 0x1.04c9e40000000p-10 -0x1.70b66c0000000p-12 "
        "-0x1.9760ee0000000p-15 0x1.3939ba0000000p-14 "
    ),
    F64: _hex(
        "0x1.8abcc380d5a48p+1 0x1.0158a6d641d54p+0 0x1.5ffcfe5b6ccb3p-8 -0x1.ebadabb9fbf0bp-9 "
        "0x1.468eeca94a63fp-9 -0x1.ba9240da83641p-10 0x1.f3cc545ad19a4p-11 -0x1.7448bc373bbc4p-12 "
        "0x1.932e9555b9de8p-16 0x1.1e6aa58ee6defp-14 -0x1.8cf47c15d45aep-15 0x1.a245ecb0e6a86p-17 "
        "0x1.89a32e183e98ep-19 -0x1.0b99186a26db4p-18 0x1.8d7aa4a0dfed7p-20 -0x1.8f3e5ebaf0375p-26 "
        "-0x1.05821ede34a41p-22 0x1.0c475096178bep-23 -0x1.9574e119f03c0p-26 -0x1.3eaadbb847b87p-27 "
        "0x1.4f5ffd343b8eap-27 -0x1.84f3d084220bcp-29 -0x1.7cefb86a83c8dp-31 0x1.00792815f434ap-31 "
    ),
}
# erfinv(p)/p, u = sqrt(-log(1 - p^2)) - 5, up to 6.1
ERFINV_FAR: Coefficients = {
    F64: _hex(
        "0x1.3664ddd1ad7fbp+2 0x1.02a30d1fba10bp+0 -0x1.22ea5df1c82a2p-13 -0x1.c2f36aa14defap-13 "
        "0x1.3ebf4efa3395ap-14 -0x1.4a34904bccea6p-16 0x1.2fbcfe36c0b21p-18 -0x1.0a902f9596cdcp-20 "
        "0x1.ebe29278594f0p-23 -0x1.22398c470f9bbp-24 0x1.f2996d02a81f1p-26 -0x1.0557c4233da99p-26 "
        "0x1.0c74db2e15f3ap-27 -0x1.e621dcc6b0bf5p-29 0x1.6d0b7b17869fcp-30 -0x1.9eaa09cd660dcp-32 "
        "0x1.0229c1056e605p-34 0x1.a3dca5b7c5a91p-37 -0x1.012173e986c49p-36 0x1.f31459fd3c136p-38 "
        "-0x1.b598203ea6cd0p-40 -0x1.fc8df5dafead5p-43 0x1.34ba69ee4fbfap-43 "
    ),
}
