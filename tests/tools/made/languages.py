"""How a made source file is written in each language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.tools.made.dice import Dice
from tests.tools.made.vocabulary import Vocabulary, camel, pascal, snake


@dataclass(frozen=True)
class Language:
    """Templates: `{f}` is a function's name, `{C}` a class's, `{a}` and `{b}` are its parameters,
    `{n}` a number."""

    extension: str
    comment: str
    using: str
    function: tuple[str, str]
    """The lines that open and close it."""
    statements: tuple[str, ...]
    named: Callable[[tuple[str, ...]], str] = camel
    shell: tuple[str, str] = ("", "")
    """The lines that open and close a class. Its methods are functions one step further in."""
    test_name: str = "{}_test"
    head: str = ""


_CALLS = (
    "    {a} = {g}({b}, {n});",
    "    if ({a} < {n}) {{ {b} = {h}({a}); }}",
    "    return {g}({a}, {b});",
)
_BRACES = ("public int {f}(String {a}, int {b}) {{", "}}")

LANGUAGES: dict[str, Language] = {
    "python": Language(
        "py",
        "# ",
        "from {package}.{module} import {g}",
        ("def {f}({a}, {b}):", ""),
        (
            "    {a} = {g}({b}, {n})",
            "    if {a} is None:",
            "        raise {C}Error(f'no {a}: {{{b}}}')",
            "    return {h}({a})",
            "    self.{b} = {a}.{g}()",
        ),
        snake,
        ("class {C}:", ""),
        "test_{}",
    ),
    "javascript": Language(
        "js",
        "// ",
        "const {{ {g} }} = require('./{module}');",
        ("function {f}({a}, {b}) {{", "}}"),
        ("    const {a}{n} = {g}({b});", *_CALLS),
        shell=("class {C} {{", "}}"),
        test_name="{}.test",
    ),
    "typescript": Language(
        "ts",
        "// ",
        "import {{ {g} }} from './{module}';",
        ("export const {f} = ({a}: string, {b}: number): number => {{", "}};"),
        ("    const {a}{n} = {g}({b});", *_CALLS),
        shell=("export interface {C} {{", "}}"),
        test_name="{}.spec",
    ),
    "java": Language(
        "java",
        "// ",
        "import org.made.{package}.{module};",
        _BRACES,
        ("    int {a}{n} = {g}({b});", *_CALLS),
        shell=("public final class {C} {{", "}}"),
        test_name="{}Test",
        head="package org.made;",
    ),
    "go": Language(
        "go",
        "// ",
        'import "made.org/{package}/{module}"',
        ("func {f}({a} string, {b} int) int {{", "}}"),
        ("    {a} := {g}({b}, {n})", "    if {b} > {n} {{ return {h}({a}) }}"),
        shell=("type {C} struct {{", "}}"),
        head="package made",
    ),
    "rust": Language(
        "rs",
        "/// ",
        "use crate::{module}::{g};",
        ("pub fn {f}({a}: &str, {b}: u32) -> u32 {{", "}}"),
        ("    let {a} = {g}({b}, {n});", "    match {a} {{ {n} => {h}({b}), _ => {n} }}"),
        snake,
        ("pub struct {C} {{", "}}"),
    ),
    "ruby": Language(
        "rb",
        "# ",
        "require_relative '{module}'",
        ("def {f}({a}, {b})", "end"),
        ("    {a} = {g}({b}, {n})", "    return {h}({a}) if {b} > {n}"),
        snake,
        ("class {C}", "end"),
        "{}_spec",
    ),
    "php": Language(
        "php",
        "// ",
        "use Made\\{package}\\{module};",
        ("public function {f}(${a}, ${b}) {{", "}}"),
        ("    ${a} = {g}(${b}, {n});", "    if (${a} < {n}) {{ return {h}(${b}); }}"),
        shell=("final class {C} {{", "}}"),
        test_name="{}Test",
        head="<?php",
    ),
    "c": Language(
        "c",
        "/* ",
        '#include "{module}.h"',
        ("static int {f}(const char *{a}, int {b})\n{{", "}}"),
        ("    int {a}_{n} = {g}({b});", *_CALLS),
        snake,
        ("struct {C} {{", "}};"),
        "{}_test",
        "#define MADE 1",
    ),
    "csharp": Language(
        "cs",
        "// ",
        "using Made.{package}.{module};",
        _BRACES,
        ("    var {a}{n} = {g}({b});", *_CALLS),
        pascal,
        ("public sealed class {C} {{", "}}"),
        "{}Tests",
    ),
    "shell": Language(
        "sh",
        "# ",
        ". ./{module}.sh",
        ("{f}() {{", "}}"),
        ('    {a}="$({g} "${b}" {n})"', "    [ ${a} -lt {n} ] || {h} ${b}"),
        snake,
        head="#!/bin/sh",
    ),
    "elixir": Language(
        "ex",
        "# ",
        "alias Made.{module}",
        ("def {f}({a}, {b}) do", "end"),
        ("    {a} = {g}({b}, {n})", "    {h}({a})"),
        snake,
        ("defmodule {C} do", "end"),
        "{}_test",
    ),
    "perl": Language(
        "pm",
        "# ",
        "use Made::{module};",
        ("sub {f} {{", "}}"),
        ("    my ${a} = {g}(${b}, {n});", "    return {h}(${a}) unless ${b};"),
        snake,
        head="package Made;",
    ),
    "swift": Language(
        "swift",
        "// ",
        "import {module}",
        ("public func {f}({a}: String, {b}: Int) -> Int {{", "}}"),
        ("    let {a} = {g}({b}, {n})", "    guard {b} > {n} else {{ return {h}({a}) }}"),
        shell=("struct {C} {{", "}}"),
    ),
    "lua": Language(
        "lua",
        "-- ",
        "local {module} = require '{module}'",
        ("local function {f}({a}, {b})", "end"),
        ("    local {a} = {g}({b}, {n})", "    if {b} then return {h}({a}) end"),
        snake,
    ),
    "other": Language(
        "sql",
        "-- ",
        "-- uses {module}",
        ("create function {f}({a} text, {b} int) as $$", "$$;"),
        ("    select {g}({b}, {n});", "    update {a} set {b} = {h}({n});"),
        snake,
        ("type {C} (", ");"),
    ),
}


class Writer:
    """Writes source files of one repository in one language."""

    def __init__(self, language: Language, words: Vocabulary, dice: Dice, package: str) -> None:
        self.language = language
        self.words = words
        self._dice = dice
        self._package = package
        self._known: list[str] = ["main"]
        """Functions that are written already, for others to call."""

    def source(self, subject: str, *, pieces: int) -> str:
        """A file about `subject` with so many functions and classes."""
        head = [self.language.head] if self.language.head else []
        uses = [self._line(self.language.using, subject) for _ in range(self._dice.number(0, 3))]
        blocks = [self._comment(subject), "\n".join(head + uses)]
        for _ in range(pieces):
            blocks.append(
                self._class(subject) if self._dice.happens(0.25) else self._function(subject)
            )
        return "\n\n".join(block for block in blocks if block) + "\n"

    def _class(self, subject: str) -> str:
        opening, closing = self.language.shell
        if not opening:
            return self._function(subject)
        name = pascal(self.words.thing(self._dice, subject))
        methods = [self._function(subject) for _ in range(self._dice.number(1, 4))]
        inside = "\n\n".join(methods).replace("\n", "\n    ").replace("\n    \n", "\n\n")
        comment, header = self._comment(subject), opening.format(C=name)
        return f"{comment}\n{header}\n    {inside}\n{closing.format()}".rstrip()

    def _function(self, subject: str) -> str:
        opening, closing = self.language.function
        name = self.language.named(self.words.action(self._dice, subject))
        self._known.append(name)
        first, second = self._dice.some(self.words.nouns, 2)
        lines = [self._comment(subject)] if self._dice.happens(0.4) else []
        header = opening.format(f=name, a=first, b=second)
        lines.append(
            f"{header} {self._long_comment(subject)}" if self._dice.happens(0.03) else header
        )
        long = self._dice.happens(0.04)
        for _ in range(self._dice.number(60, 90) if long else self._dice.number(2, 12)):
            lines.append(self._line(self._dice.pick(self.language.statements), subject))
            lines += [""] if self._dice.happens(0.1) else []
        return "\n".join((*lines, closing.format())).rstrip()

    def _line(self, template: str, subject: str) -> str:
        first, second = self._dice.some(self.words.nouns, 2)
        return template.format(
            a=first,
            b=second,
            n=self._dice.number(1, 99),
            g=self._dice.pick(self._known),
            h=self._dice.pick(self._known),
            C=pascal((subject,)),
            module=self._dice.pick(self.words.nouns),
            package=self._package,
        )

    def _long_comment(self, subject: str) -> str:
        """Longer than most lines are, and shorter than what counts as data."""
        return " ".join(self._comment(subject) for _ in range(6))

    def _comment(self, subject: str) -> str:
        closing = " */" if self.language.comment == "/* " else ""
        return f"{self.language.comment}{self.words.sentence(self._dice, subject)}.{closing}"
