"""`ganlab validate`: check a configuration without training."""

from __future__ import annotations

from ganlab.cli.arguments import say_loading, wants_help


def main(argv: list[str]) -> int:
    """Compose a configuration as `ganlab train` does, check it, and return 0."""
    if wants_help(argv):
        print(
            "ganlab validate [experiment=NAME] [key=value …]: check a configuration of "
            "`ganlab train`\n(names, arguments, types, shapes) without reading data or training."
        )
        return 0
    from ganlab.config.compose import compose, to_plain
    from ganlab.config.reads import warn_of_repeated

    warn_of_repeated(argv)
    config = compose(argv)
    say_loading("validate", "the check")
    from ganlab.config.checks import check

    config.run_dir = config.run_dir or f"outputs/{config.name}"
    plain = to_plain(config)
    module, data = check(plain)
    if module is None:
        print(f"{plain['name']}: valid. It is a lesson and trains no model.")
        return 0
    players = ", ".join(
        f"{role} {sum(p.numel() for p in module.parameters_of[role]):,}" for role in module.roles
    )
    print(f"{plain['name']}: valid. Data {tuple(data.shape)}; parameters: {players}.")
    return 0
