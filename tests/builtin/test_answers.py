"""Tools, JSON formats, probabilities and the older text completions, as LangChain and openai see them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field

from helpers.builtin import MODEL, answers, book, chat_reply, chat_request, fill, legacy, tokens
from helpers.i18n import LANGUAGES
from tests.builtin.asking import ENTRIES, SOURCE, asked

if TYPE_CHECKING:
    import openai
    from langchain_openai import ChatOpenAI


@pytest.fixture
def chat(url: str) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=MODEL, max_retries=0, stream_usage=True)


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(max_retries=0) as opened:
        yield opened


class get_weather(BaseModel):  # noqa: N801 - the name of the tool
    """Return the weather in a city."""

    city: str


class add(BaseModel):  # noqa: N801
    """Add two numbers."""

    a: int
    b: int


def calls(message: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(call["name"], call["args"]) for call in message.tool_calls]


# Tools


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", ["weather", "weather-two"])
def test_the_whole_round_trip_of_a_tool(chat: ChatOpenAI, name: str, lang: str) -> None:
    from langchain_core.messages import HumanMessage, ToolMessage

    with_tool = chat.bind_tools([add, get_weather])
    history: list[Any] = [HumanMessage(asked(name, lang))]
    first = with_tool.invoke(history)
    given = ENTRIES[name]["call"][lang]["get_weather"]
    given = given if isinstance(given, list) else [given]
    assert calls(first) == [("get_weather", arguments) for arguments in given]
    assert first.response_metadata["finish_reason"] == "tool_calls"
    assert first.text == ""
    history.append(first)
    for number, call in enumerate(first.tool_calls):
        history.append(ToolMessage(f"{number} °C", tool_call_id=call["id"]))
    last = with_tool.invoke(history)
    expected = ENTRIES[name]["result"][lang].replace("{0}", "0 °C").replace("{1}", "1 °C")
    assert (last.text, last.tool_calls) == (expected, [])
    assert chat.invoke(asked(name, lang)).text == ENTRIES[name]["answer"][lang]


def test_streamed_arguments_add_up_to_those_of_invoke(chat: ChatOpenAI) -> None:
    from langchain_core.messages import AIMessageChunk

    with_tool = chat.bind_tools([get_weather])
    whole = with_tool.invoke(asked("weather-two"))
    total = None
    pieces = 0
    for chunk in with_tool.stream(asked("weather-two")):
        assert isinstance(chunk, AIMessageChunk)
        pieces += bool(chunk.tool_call_chunks)
        total = chunk if total is None else total + chunk
    assert total is not None
    assert calls(total) == calls(whole)
    assert pieces > 10
    assert total.usage_metadata == whole.usage_metadata
    written = sum(
        tokens.count(json.dumps({"city": city}, separators=(",", ":")))
        for city in ("Paris", "Rome")
    )
    assert whole.usage_metadata and whole.usage_metadata["output_tokens"] == written


def test_tool_choice(chat: ChatOpenAI) -> None:
    tools = [get_weather, add]
    question = "What is 3 + 12?"
    assert calls(chat.bind_tools(tools).invoke("Use add on 3 and 12.")) == [
        ("add", {"a": 3, "b": 12})
    ]
    assert (
        chat.bind_tools(tools, tool_choice="none").invoke("Use add on 3 and 12.").tool_calls == []
    )
    required = chat.bind_tools(tools, tool_choice="required").invoke(asked("hello"))
    assert calls(required) == [("get_weather", {"city": "Hello!"})]
    assert required.response_metadata["finish_reason"] == "tool_calls"
    named = chat.bind_tools(tools, tool_choice="add").invoke(question)
    assert calls(named) == [("add", {"a": 3, "b": 12})]
    assert named.response_metadata["finish_reason"] == "stop"  # as with OpenAI
    assert chat.bind_tools(tools).invoke(asked("hello")).text == ENTRIES["hello"]["answer"]["en"]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How is the weather in Berlin today?", [("get_weather", {"city": "Berlin"})]),
        ("What do you think of tea?", []),
        ("Call add on 1 and 2, then get_weather for Rome.", [("get_weather", {"city": "Rome"}), ("add", {"a": 1, "b": 2})]),
    ],
)  # fmt: skip
def test_a_question_that_is_not_in_the_book(
    chat: ChatOpenAI, question: str, expected: list[Any]
) -> None:
    assert calls(chat.bind_tools([get_weather, add]).invoke(question)) == expected
    alone = chat.bind_tools([get_weather, add], parallel_tool_calls=False).invoke(question)
    assert calls(alone) == expected[:1]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_a_tool_returned_is_said_in_the_language_of_the_question(
    chat: ChatOpenAI, lang: str
) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    question = {
        "en": "Use add, please.",
        "zh": "请用 add 算一下。",
        "fr": "Employez add pour la somme.",
    }
    call = {"name": "add", "args": {"a": 1, "b": 2}, "id": "1"}
    history = [
        HumanMessage(question[lang]),
        AIMessage("", tool_calls=[call]),
        ToolMessage("3", tool_call_id="1"),
    ]
    said = {"en": "add returned: 3", "zh": "add 返回：3", "fr": "add a renvoyé\u00a0: 3"}
    assert chat.bind_tools([add]).invoke(history).text == said[lang]


def test_call_ids_differ_and_are_the_same_each_time(chat: ChatOpenAI) -> None:
    with_tool = chat.bind_tools([get_weather])
    first, again = (with_tool.invoke(asked("weather-two")) for _ in range(2))
    ids = [call["id"] for call in first.tool_calls]
    assert len(set(ids)) == 2 and all(str(name).startswith("call_") for name in ids)
    assert [call["id"] for call in again.tool_calls] == ids


def test_max_tokens_cuts_the_arguments(chat: ChatOpenAI) -> None:
    message = chat.bind_tools([get_weather]).invoke(asked("weather"), max_tokens=3)
    assert message.response_metadata["finish_reason"] == "length"
    assert [call["args"] for call in message.invalid_tool_calls] == ['{"city']


def test_usage_and_ids_of_calls_in_several_choices(client: openai.OpenAI) -> None:
    body: Any = {
        "model": MODEL,
        "messages": [{"role": "user", "content": asked("weather-two")}],
        "tools": [{"type": "function", "function": {"name": "get_weather"}}],
        "n": 2,
    }
    whole = client.chat.completions.create(**body)
    assert [choice.message.content for choice in whole.choices] == [None, None]
    assert [len(choice.message.tool_calls or ()) for choice in whole.choices] == [2, 2]
    opening = next(iter(client.chat.completions.create(**body, stream=True)))
    assert opening.choices[0].delta.content is None
    other = client.chat.completions.create(**{**body, "model": "big"})
    assert whole.choices[0].message.tool_calls and other.choices[0].message.tool_calls
    assert whole.choices[0].message.tool_calls[0].id != other.choices[0].message.tool_calls[0].id


def request(question: str, *tools: Any, history: Any = (), **change: Any) -> chat_request.Request:
    messages = [{"role": "user", "content": question}, *history]
    offered = [{"type": "function", "function": tool} for tool in tools]
    body = {"model": MODEL, "messages": messages, "tools": offered or None, **change}
    return chat_request.parse(json.dumps(body).encode())


def said(asking: chat_request.Request) -> Any:
    """Return the text of the answer, or the calls as pairs of a name and its arguments."""
    reply = answers.replies(asking)[0]
    made = [(call.name, "".join(call.arguments)) for call in reply.calls]
    return made or "".join(reply.tokens)


def returned(*results: str, name: str = "get_weather") -> list[Any]:
    """Return the messages in which a tool is called once for each result."""
    function = {"name": name, "arguments": "{}"}
    made = [{"id": text, "type": "function", "function": function} for text in results]
    given = [{"role": "tool", "tool_call_id": text, "content": text} for text in results]
    return [{"role": "assistant", "tool_calls": made}, *given]


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"name": "get_weather", "parameters": CITY}
WHOLE_CITY = {**CITY, "properties": {"city": {"type": "integer", "minimum": 7}}}


@pytest.mark.parametrize(
    ("question", "tools", "expected"),
    [
        ("Where is my paddle?", [{"name": "add"}], []),  # no word of its own
        ("Is the tea hot?", [{"name": "f", "description": "Ask for the tea"}], []),
        ("What does that have?", [{"name": "f", "description": "What does that have"}], []),
        ("Is tea healthy?", [{"name": "f", "description": "How healthy"}], ["f"]),
        ("明天北京会下雨吗", [{"name": "f", "description": "查询北京"}], ["f"]),
        ("a green parrot", [{"name": "gree", "description": "a parrot"}, {"name": "g", "description": "green parrot"}], ["g"]),
        ("a green parrot", [{"name": "f", "description": "parrot"}, {"name": "g", "description": "green"}], ["f"]),
    ],
)  # fmt: skip
def test_which_tool_fits(question: str, tools: list[Any], expected: list[str]) -> None:
    found = said(request(question, *tools))
    assert found == [(name, "{}") for name in expected] or (not expected and isinstance(found, str))


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        (request(asked("weather"), WEATHER), [("get_weather", '{"city":"Paris"}')]),
        # the book's arguments, unless they are not valid
        (request(asked("weather"), {**WEATHER, "parameters": WHOLE_CITY}), [("get_weather", '{"city":7}')]),
        # results are texts, in which nothing is replaced
        (request(asked("weather-two"), WEATHER, history=returned("{1}", "b")), "Paris: {1}. Rome: b."),
        (request(asked("weather-two"), WEATHER, history=returned("a")), "Paris: a. Rome: …."),
        (request("Hm", WEATHER, history=returned("a", "b")), "get_weather returned: a\nget_weather returned: b"),
        (request("Hm", WEATHER, history=returned("a") + returned("b")), "get_weather returned: a\nget_weather returned: b"),
        # there is no other tool
        (request(asked("weather"), WEATHER, history=returned("a"), tool_choice="required"),
         [("get_weather", '{"city":"Paris"}')]),
        # those of an earlier turn are not said
        (request("Hm", history=[*returned("a"), {"role": "user", "content": "Hello!"}]), book.find([book.Message("user", "Hello!")]).answer),  # type: ignore[union-attr]
        # without a question, the language and the words of the last message
        (chat_request.parse(b'{"model": "big", "messages": [{"role": "system", "content": "\\u4f60"}]}'), book.unknown("zh")),
    ],
)  # fmt: skip
def test_what_is_said_or_called(asking: chat_request.Request, expected: Any) -> None:
    assert said(asking) == expected


def function(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    """Return a tool that requires all of its parameters; what is no schema is a type."""
    kinds = {
        n: kind if isinstance(kind, dict) else {"type": kind} for n, kind in properties.items()
    }
    schema = {"type": "object", "properties": kinds, "required": list(kinds)}
    return {"name": name, "description": description, "parameters": schema}


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("getWeather", ""),
        ("get_current_weather", ""),
        ("weather", ""),
        ("weather-get_weather", ""),
        ("getweather", ""),
        ("fetchForecast", ""),
        ("lookup", "Look up the current Weather of a place"),
        ("obtenir_meteo", ""),
        ("f", "Donne la météo d'une ville"),
        ("quel_temps", "Le temps qu'il fait"),
        ("f", "获取某个城市的天气"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_tool_about_the_same_is_called_for_the_questions_of_the_book(
    name: str, description: str, lang: str
) -> None:
    paris, rome = (given["city"] for given in ENTRIES["weather-two"]["call"][lang]["get_weather"])
    other = function("add", "Add two numbers.", a="integer", b="integer")
    for parameter in ("city", "location", "q"):
        tool = function(name, description, **{parameter: "string"})
        one, two = (
            said(request(asked(entry, lang), other, tool)) for entry in ("weather", "weather-two")
        )
        made = [(name, json.dumps({parameter: city}, ensure_ascii=False, separators=(",", ":"))) for city in (paris, rome)]  # fmt: skip
        assert (one, two) == (made[:1], made)
    assert said(request(asked("weather", lang), other)) == ENTRIES["weather"]["answer"][lang]


@pytest.mark.parametrize(
    ("entry", "tool", "expected"),
    [
        # values of other parameters are not made of the other call's
        ("weather-two", function("getWeather", location="string", unit={"enum": ["C", "F"]}),
         ['{"location":"Paris","unit":"C"}', '{"location":"Rome","unit":"C"}']),
        ("weather-two", function("getWeather", place={"enum": ["Paris", "Rome", "Oslo"]}),
         ['{"place":"Paris"}', '{"place":"Rome"}']),
        ("weather-two", {"name": "getWeather", "parameters": {"type": "object", "properties": {
            "location": {"type": "string"}, "country": {"type": "string"}}, "required": ["location"]}},
         ['{"location":"Paris"}', '{"location":"Rome"}']),
        ("weather-two", {"name": "getWeather", "parameters": {"type": "object", "properties": {"location": {"type": "string"}}}},
         ['{"location":"Paris"}', '{"location":"Rome"}']),
        ("weather-two", function("getWeather", cities={"type": "array", "items": {"type": "string"}}),
         ['{"cities":["Paris"]}', '{"cities":["Rome"]}']),
        ("weather", {"name": "weather_here"}, ["{}"]),
        # the name decides before the description, the book's own before both
        ("weather", function("get_weather", city="string"), ['{"city":"Paris"}']),
        ("desk-order", function("lookupOrder", orderId="string"), ['{"orderId":"1024"}']),
        ("desk-order", function("order_status", order_id="integer"), ['{"order_id":1024}']),
    ],
)  # fmt: skip
def test_the_arguments_of_a_tool_with_other_parameters(
    entry: str, tool: Any, expected: list[str]
) -> None:
    assert said(request(asked(entry), tool)) == [(tool["name"], given) for given in expected]


def test_of_several_tools_the_name_decides() -> None:
    report = function("Report", "A report on the weather.", city="string")
    ours = function("getWeather", city="string")
    assert said(request(asked("weather"), report, ours)) == [("getWeather", '{"city":"Paris"}')]
    exact = function("get_weather", city="string")
    assert said(request(asked("weather"), ours, exact)) == [("get_weather", '{"city":"Paris"}')]


FACT = asked("fact"), function("Capital", city="string", country="string")
ORDER = asked("order"), function("Order", item="string", quantity="integer", price="number", total="number")  # fmt: skip


@pytest.mark.parametrize(
    ("question", "tool", "expected"),
    [
        (*FACT, '{"city":"Paris","country":"France"}'),
        (*ORDER, '{"item":"parrot","quantity":3,"price":40,"total":110}'),
        (ORDER[0], function("f", price="number", quantity="integer"), '{"price":40,"quantity":3}'),
        (ORDER[0], function("f", product="string", quantity="integer"), '{"product":"parrot","quantity":3}'),
        (FACT[0], function("f", country="string"), '{"country":"France"}'),
        (asked("fact", "zh"), FACT[1], '{"city":"巴黎","country":"法国"}'),
    ],
)  # fmt: skip
@pytest.mark.parametrize("choice", ["required", "named"])
def test_the_json_of_the_book_as_arguments(
    question: str, tool: Any, expected: str, choice: str
) -> None:
    named = {"type": "function", "function": {"name": tool["name"]}}
    asking = request(question, tool, tool_choice=named if choice == "named" else choice)
    assert said(asking) == [(tool["name"], expected)]
    assert isinstance(said(request(question, tool)), str), "nobody must call it"


REPORT = function("Report", "The answer.", city="string", weather="string")
TIME = function("get_time", zone="string")


def agent(question: str, *tools: Any, most: int = 10) -> list[str]:
    """Let an agent run that must call a tool, until it calls Report; return what it called."""
    history: list[Any] = []
    called: list[str] = []
    while "Report" not in called:
        made = said(request(question, *tools, history=history, tool_choice="required"))
        names = [name for name, _ in made]
        for round_, name in enumerate(names):
            history += returned(f"{len(history)} {round_}", name=name)
        called += names
        assert len(called) < most
    return called


@pytest.mark.parametrize(
    ("question", "tools", "expected"),
    [
        (asked("weather"), [WEATHER, REPORT], ["get_weather", "Report"]),
        (asked("weather-two"), [WEATHER, REPORT], ["get_weather", "get_weather", "Report"]),
        (asked("weather"), [function("getWeather", location="string"), TIME, REPORT], ["getWeather", "Report"]),
        (asked("weather", "zh"), [WEATHER, REPORT], ["get_weather", "Report"]),
        ("Use get_time and get_weather.", [WEATHER, TIME, REPORT], ["get_weather", "get_time", "Report"]),
        ("Ahem.", [WEATHER, TIME, REPORT], ["get_weather", "Report"]),
        ("Ahem.", [REPORT, TIME], ["Report"]),
        (asked("fact"), [TIME, REPORT], ["get_time", "Report"]),
    ],
)  # fmt: skip
def test_an_agent_that_gives_its_result_by_a_tool_ends(
    question: str, tools: list[Any], expected: list[str]
) -> None:
    assert agent(question, *tools) == expected


def test_the_report_of_an_agent_says_what_the_tool_returned() -> None:
    history = returned("Sunny, 21 °C")
    asking = request(asked("weather"), WEATHER, REPORT, history=history, tool_choice="required")
    assert said(asking) == [("Report", '{"city":"Paris","weather":"Sunny, 21 °C"}')]


def test_where_all_tools_have_returned_the_last_one_is_called_again() -> None:
    """What it returned may be a complaint about its arguments."""
    history = returned("Sunny") + returned("city: too short", name="Report")
    asking = request(asked("weather"), WEATHER, REPORT, history=history, tool_choice="required")
    assert [name for name, _ in said(asking)] == ["Report"]
    named = {"type": "function", "function": {"name": "get_weather"}}
    asking = request(asked("weather"), WEATHER, REPORT, history=history, tool_choice=named)
    assert [name for name, _ in said(asking)] == ["get_weather"]


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (allowed("auto", "get_weather"), ["get_weather"]),
        (allowed("auto", "get_time"), []),
        (allowed("required", "get_time"), ["get_time"]),
        (allowed("required", "get_time", "Report"), ["get_time"]),
        (allowed("required", "Report", "get_weather"), ["get_weather"]),
    ],
)
def test_tools_that_are_allowed(choice: Any, expected: list[str]) -> None:
    asking = request(asked("weather"), TIME, WEATHER, REPORT, tool_choice=choice)
    found = said(asking)
    assert [name for name, _ in found] == expected if expected else isinstance(found, str)
    assert not asking.tool


def test_max_tokens_is_for_all_calls_together() -> None:
    reply = answers.replies(request(asked("weather-two"), WEATHER, max_tokens=9))[0]
    first = tokens.count('{"city":"Paris"}')
    assert [len(call.arguments) for call in reply.calls] == [first, 9 - first]
    assert (reply.finish_reason, reply.length()) == ("length", 9)


def test_the_chunks_of_several_calls_are_in_the_order_of_time() -> None:
    asking = request(asked("weather-two"), WEATHER, n=2)
    replies = answers.replies(asking)
    times = [written for written, _ in chat_reply.chunks(asking, replies)]
    assert times == sorted(times)
    assert max(times) == replies[0].length()


@pytest.mark.parametrize(
    "asking",
    [
        request(asked("hello"), n=2),
        request(asked("weather-two"), WEATHER, n=2),
        request("Hello", n=2, response_format={"type": "json_schema", "json_schema": {"name": "n", "schema": CITY}}),
    ],
)  # fmt: skip
def test_a_misformatted_answer(asking: chat_request.Request) -> None:
    right, wrong = answers.replies(asking)[0], answers.misformatted(asking)
    assert len(wrong) == 2 and wrong[0] == wrong[1] != right
    for call in wrong[0].calls:
        with pytest.raises(json.JSONDecodeError):
            json.loads("".join(call.arguments))
    assert "".join(wrong[0].tokens).endswith("".join(right.tokens))


def test_a_tool_whose_name_is_a_mode_is_called_by_name(client: openai.OpenAI) -> None:
    create: Any = client.chat.completions.create
    messages = [{"role": "user", "content": asked("hello")}]
    for name in ("auto", "none", "required"):
        tools = [{"type": "function", "function": {"name": each}} for each in ("other", name)]
        answer = create(model=MODEL, messages=messages, tools=tools, tool_choice=tools[1])
        assert [call.function.name for call in answer.choices[0].message.tool_calls] == [name]


def test_a_tool_is_named_between_han_characters_too(chat: ChatOpenAI) -> None:
    assert calls(chat.bind_tools([get_weather, add]).invoke("请用add算一下 3 和 4")) == [
        ("add", {"a": 3, "b": 4})
    ]


def test_enum_values_are_no_schemas(chat: ChatOpenAI) -> None:
    schema = {
        **CLOSED,
        "properties": {"a": {"enum": [{"type": "object"}, {"properties": {"x": 1}}]}},
    }
    message = chat.bind(response_format=json_schema(schema)).invoke("x")
    assert json.loads(message.text) in ({"a": {"type": "object"}}, {"a": {"properties": {"x": 1}}})


def test_an_answer_has_an_end(chat: ChatOpenAI) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    call = {"name": "add", "args": {}, "id": "1"}
    history = [
        HumanMessage("Use it."),
        AIMessage("", tool_calls=[call]),
        ToolMessage("x " * 100_000, tool_call_id="1"),
    ]
    message = chat.bind(logprobs=True, n=16).invoke(history)
    assert len(message.text) == fill.MAX_ANSWER
    assert message.response_metadata["finish_reason"] == "length"


# Formats


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = Field(ge=0)
    email: str | None = None


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
def test_structured_output(chat: ChatOpenAI, method: Any) -> None:
    found = chat.with_structured_output(Person, method=method).invoke("My friend Ada is 36.")
    assert found == Person(name="Ada", age=36)
    found = chat.with_structured_output(Person, method=method).invoke(
        "Extract: Jean Dupont, 40, jean@example.org"
    )
    assert found == Person(name="Jean Dupont", age=40, email="jean@example.org")


def test_json_mode(chat: ChatOpenAI) -> None:
    import openai

    bound = chat.bind(response_format={"type": "json_object"})
    assert json.loads(bound.invoke("Hello as json").text) == {"answer": SOURCE["unknown"]["en"]}
    asked_for = json.loads(bound.invoke("Tell a joke as JSON with 'setup' and 'punchline'.").text)
    assert list(asked_for) == ["setup", "punchline"]
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        bound.invoke("Hello")


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "object"}, '{"city":"Paris","country":"France"}'),
        (CITY, '{"city":"Paris","country":"France"}'),
        ({**CITY, "additionalProperties": False}, '{"city":"France"}'),  # out of the prompt
        (WHOLE_CITY, '{"city":7}'),
        (None, '{"city":"Paris","country":"France"}'),
    ],
)
def test_the_json_of_the_book_where_the_schema_allows_it(schema: Any, expected: str) -> None:
    inner = {"name": "n" * 63 + "-", "schema": schema}
    form = {"type": "json_schema", "json_schema": inner}
    assert said(request(asked("fact"), response_format=form)) == expected


def test_json_mode_says_what_a_tool_returned() -> None:
    asking = request(
        "In json: 'weather'",
        history=[*returned("12 °C"), {"role": "assistant", "content": "…"}],
        response_format={"type": "json_object"},
    )
    assert json.loads(said(asking)) == {"weather": "get_weather returned: 12 °C"}


@pytest.mark.parametrize("top", [None, 0, 1, 3])
def test_logprobs_of_each_token(client: openai.OpenAI, top: int | None) -> None:
    body: Any = {
        "model": MODEL,
        "messages": [{"role": "user", "content": asked("hello", "zh")}],
        "logprobs": True,
        "top_logprobs": top,
    }
    whole = client.chat.completions.create(**body).choices[0]
    assert whole.logprobs and whole.logprobs.content
    for entry in whole.logprobs.content:
        assert bytes(entry.bytes or ()).decode() == entry.token
        tops = entry.top_logprobs
        assert [one.token for one in tops[:1]] == [entry.token] * min(top or 0, 1)
        assert len({one.token for one in tops}) == len(tops) == (top or 0)
        assert sorted((one.logprob for one in tops), reverse=True) == [one.logprob for one in tops]
        assert sum(math.exp(one.logprob) for one in tops) <= 1
    chunks = client.chat.completions.create(**body, stream=True)
    streamed = [chunk.choices[0].logprobs for chunk in chunks]
    assert [one.content[0] for one in streamed if one and one.content] == whole.logprobs.content


def test_logprobs(chat: ChatOpenAI) -> None:
    message = chat.bind(logprobs=True, top_logprobs=2).invoke(asked("hello"))
    content = message.response_metadata["logprobs"]["content"]
    assert "".join(entry["token"] for entry in content) == message.text
    assert bytes(content[-1]["bytes"]).decode() == content[-1]["token"]
    chances = [math.exp(entry["logprob"]) for entry in content]
    assert min(chances) < 0.95 and max(chances) <= 1 and sum(chances) / len(chances) > 0.7
    assert [len(entry["top_logprobs"]) for entry in content] == [2] * len(content)
    assert chat.invoke(asked("hello")).response_metadata["logprobs"] is None


# Refusals


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}


def tool(**change: Any) -> list[Any]:
    return [{"type": "function", "function": {"name": "f", **change}}]


def json_schema(schema: Any, **change: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, **change}}


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        ({"tools": []}, "tools", "empty_array", "1 to 128"),
        ({"tools": [TOOL] * 129}, "tools", "array_above_max_length", "129"),
        ({"tools": [{"type": "custom"}]}, "tools[0].type", "unsupported_value", "'function'"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type", "invalid_value", "'function'"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom", "custom": {"name": "f"}}}, "tool_choice.type", "unsupported_value", "JSON"),
        ({"tools": tool(name="a" * 65)}, "tools[0].function.name", "invalid_value", "1 to 64"),
        ({"tools": [TOOL, *tool(name="g", parameters={"type": "object", "required": ["a"], "properties": {"a": False}})],
          "tool_choice": {"type": "function", "function": {"name": "g"}}},
         "tools[1].function.parameters", "invalid_json_schema", "finds no value"),
        ({"tools": tool(name="a b")}, "tools[0].function.name", "invalid_value", "1 to 64"),
        ({"tools": tool(parameters={})}, "tools[0].function.parameters", "invalid_function_parameters", "function 'f'"),
        ({"tools": tool(parameters={"type": "object", "properties": {"a": {"type": "x"}}})},
         "tools[0].function.parameters", "invalid_function_parameters", "function 'f'"),
        ({"tools": tool(parameters={"type": "object", "properties": {"a": {}}}, strict=True)},
         "tools[0].function.parameters", "invalid_function_parameters", "additionalProperties"),
        ({"tools": tool(parameters={**CLOSED, "required": []}, strict=True)},
         "tools[0].function.parameters", "invalid_function_parameters", "Missing 'a'"),
        ({"tool_choice": "auto"}, "tool_choice", None, "only allowed when 'tools'"),
        ({"parallel_tool_calls": True}, "parallel_tool_calls", None, "only allowed when 'tools'"),
        ({"response_format": json_schema({"type": "array", "items": {}}, strict=True)},
         "response_format.json_schema.schema", "invalid_json_schema", "'type: \"object\"'"),
        ({"tools": [TOOL], "tool_choice": "f"}, "tool_choice", "invalid_value", "'none', 'auto', 'required'"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
         "tool_choice.function.name", "invalid_value", "'f'"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools", "missing_required_parameter", ""),
        ({"tools": [TOOL], "tool_choice": allowed("none", "f")}, "tool_choice.allowed_tools.mode", "invalid_value", "'auto', 'required'"),
        ({"tools": [TOOL], "tool_choice": allowed("auto")}, "tool_choice.allowed_tools.tools", "empty_array", "at least 1"),
        ({"tools": [TOOL], "tool_choice": allowed("auto", "g")},
         "tool_choice.allowed_tools.tools[0].function.name", "invalid_value", "'f'"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value", "'json_schema'"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter", ""),
        ({"response_format": json_schema({}, name=None)}, "response_format.json_schema.name", "missing_required_parameter", ""),
        ({"response_format": json_schema({"$ref": "https://example.org/x"})},
         "response_format.json_schema.schema", "invalid_json_schema", "response_format 'n'"),
        ({"response_format": json_schema({"type": "object"}, strict=True)},
         "response_format.json_schema.schema", "invalid_json_schema", "additionalProperties"),
        ({"response_format": json_schema({**CLOSED, "properties": {"a": {"type": "object", "properties": {"b": {}}}}}, strict=True)},
         "response_format.json_schema.schema", "invalid_json_schema", "additionalProperties"),
        ({"response_format": json_schema({"not": {}})},
         "response_format.json_schema.schema", "invalid_json_schema", "finds no value"),
        ({"response_format": json_schema({"type": "string", "minLength": 10**7})},
         "response_format.json_schema.schema", "invalid_json_schema", "no more than 5,000 characters"),
        ({"response_format": json_schema({"enum": ["x" * 100_000]})},
         "response_format.json_schema.schema", "invalid_json_schema", "longer than 100,000"),
    ],
)  # fmt: skip
def test_a_refused_format(
    client: openai.OpenAI, body: dict[str, Any], param: str, code: str | None, message: str
) -> None:
    import openai

    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", cast_to=object, body={
            "model": MODEL, "messages": [{"role": "user", "content": "x"}], **body,
        })  # fmt: skip
    assert (refused.value.param, refused.value.code) == (param, code)
    assert message in refused.value.message


def strictly(**properties: Any) -> dict[str, Any]:
    """Return a closed object with these properties, all required."""
    return {**CLOSED, "properties": properties, "required": list(properties)}


TEXT = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (strictly(a={"oneOf": [TEXT, {"type": "null"}]}), "In context=('properties', 'a'), 'oneOf' is not permitted."),
        ({**strictly(a=TEXT), "allOf": [{"type": "object"}]}, "In context=(), 'allOf' is not permitted."),
        (strictly(a={**TEXT, "not": {"const": "x"}}), "'not' is not permitted"),
        ({**strictly(a=TEXT), "if": {}, "then": {}}, "'if' is not permitted"),
        (strictly(a={**TEXT, "else": {}}), "'else' is not permitted"),
        ({**strictly(a=TEXT), "dependentSchemas": {}}, "'dependentSchemas' is not permitted"),
        ({**strictly(a=TEXT), "dependentRequired": {}}, "'dependentRequired' is not permitted"),
        ({**strictly(a=TEXT), "patternProperties": {}}, "'patternProperties' is not permitted"),
        (strictly(a={"type": "array", "items": TEXT, "uniqueItems": True}), "'uniqueItems' is not permitted"),
        (strictly(a={"type": "array", "prefixItems": [TEXT]}), "'prefixItems' is not permitted"),
        (strictly(a={"type": "array"}), "In context=('properties', 'a'), array schema missing items."),
        (strictly(a={}), "In context=('properties', 'a'), schema must have a 'type' key."),
        (strictly(a=True), "schema must have a 'type' key"),
        (strictly(a={"description": "x"}), "schema must have a 'type' key"),
        (strictly(a={"enum": ["x", "y"]}), "schema must have a 'type' key"),
        (strictly(a={"const": "x"}), "schema must have a 'type' key"),
        (strictly(a={"anyOf": [TEXT, {}]}), "In context=('properties', 'a', 'anyOf', '1'), schema must have a 'type' key."),
        (strictly(a={"type": "array", "items": {"oneOf": [TEXT]}}), "In context=('properties', 'a', 'items'), 'oneOf' is not"),
        ({**strictly(a={"$ref": "#/$defs/b"}), "$defs": {"b": {"type": "object", "properties": {}}}},
         "In context=('$defs', 'b'), 'additionalProperties' is required"),
        ({**strictly(a={"$ref": "#/$defs/b", "description": "x"}), "$defs": {"b": TEXT}},
         "In context=('properties', 'a'), $ref cannot have keywords {'description'}."),
        (strictly(a={"type": ["object", "null"], "properties": {}}), "'additionalProperties' is required"),
    ],
)  # fmt: skip
def test_a_strict_schema_that_openai_refuses(schema: Any, message: str) -> None:
    from helpers.builtin.wire import RequestError

    for place in ("tool", "format"):
        body: dict[str, Any] = {"response_format": json_schema(schema, strict=True)}
        if place == "tool":
            body = {"tools": tool(parameters=schema, strict=True)}
        asking = {"model": MODEL, "messages": [{"role": "user", "content": "x"}], **body}
        with pytest.raises(RequestError) as refused:
            chat_request.parse(json.dumps(asking).encode())
        assert message in refused.value.message
        asking = json.loads(json.dumps(asking).replace('"strict": true', '"strict": false'))
        chat_request.parse(json.dumps(asking).encode())


def test_strict_schemas_that_openai_takes() -> None:
    class Part(BaseModel):
        name: Literal["a", "b"]
        size: int | None = Field(ge=0)

    class Whole(BaseModel):
        parts: list[Part]
        either: Part | str = Field(pattern="^x")
        again: Whole | None

    pydantic_schema = pydantic_strict(Whole)
    # Properties may have the names of words that are refused.
    odd = strictly(
        **{"not": TEXT, "oneOf": TEXT, "if": {"type": ["string", "null"], "enum": ["x", None]}}
    )
    for schema in (
        pydantic_schema,
        odd,
        strictly(a={"type": "string", "default": "x", "format": "date"}),
    ):
        form = json_schema(schema, strict=True)
        found = json.loads(said(request("Ahem.", response_format=form)))
        assert set(found) == set(schema["properties"])


def pydantic_strict(model: type[BaseModel]) -> dict[str, Any]:
    """Return the schema that openai sends for a model of pydantic's."""
    from openai.lib._pydantic import to_strict_json_schema

    return to_strict_json_schema(model)


# Text completions


@pytest.mark.parametrize("lang", LANGUAGES)
def test_text_completions_through_langchain(url: str, lang: str) -> None:
    from langchain_openai import OpenAI

    llm = OpenAI(model=MODEL, max_retries=0)
    for entry in SOURCE["continuations"]:
        assert llm.invoke(entry["text"][lang]) == entry["next"][lang]
        assert "".join(llm.stream(entry["text"][lang])) == entry["next"][lang]
    result = llm.generate([entry["text"][lang] for entry in SOURCE["continuations"]])
    assert [one[0].text for one in result.generations] == [
        entry["next"][lang] for entry in SOURCE["continuations"]
    ]


def test_the_parameters_of_text_completions(client: openai.OpenAI) -> None:
    prompt = SOURCE["continuations"][0]["text"]["en"]
    whole = SOURCE["continuations"][0]["next"]["en"]
    create = client.completions.create
    short = create(model=MODEL, prompt=prompt, max_tokens=3)
    assert (short.choices[0].text, short.choices[0].finish_reason) == (" Paris. The", "length")
    assert create(model=MODEL, prompt=prompt).choices[0].text == "".join(tokens.split(whole)[:16])
    assert create(model=MODEL, prompt=prompt, stop="Paris").choices[0].text == " "
    assert create(model=MODEL, prompt=prompt, max_tokens=0, echo=True).choices[0].text == prompt
    both = create(model=MODEL, prompt=[prompt, "x"], n=2, best_of=2, max_tokens=50, echo=True)
    assert [choice.index for choice in both.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in both.choices[::2]] == [
        prompt + whole,
        "x" + book.unknown("en"),
    ]
    assert both.object == "text_completion" and both.id.startswith("cmpl-")
    assert both.usage and both.usage.prompt_tokens == tokens.count(prompt) + 1
    logprobs = create(model=MODEL, prompt=prompt, max_tokens=3, logprobs=1).choices[0].logprobs
    assert logprobs and logprobs.tokens == [" Paris", ".", " The"]
    assert (logprobs.token_logprobs, logprobs.text_offset) == ([0.0] * 3, [0, 6, 7])
    stream = create(
        model=MODEL,
        prompt=prompt,
        max_tokens=50,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage and chunks[-1].usage.completion_tokens == tokens.count(whole)


@pytest.mark.parametrize("n", [1, 2])
def test_a_text_completion_as_a_stream_and_as_a_whole(n: int) -> None:
    """Both say the same, also of the places of the tokens."""
    body = {"model": MODEL, "prompt": ["One two", "x"], "n": n, "echo": True, "logprobs": 0}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    asking = legacy.parse(json.dumps({**body, **options, "max_tokens": 5}).encode())
    replies = legacy.replies(asking)
    whole = legacy.completion(asking, replies)
    chunks = list(legacy.chunks(asking, replies))
    assert [written for written, _ in chunks][:n] == [1] * n
    assert [chunk["usage"] for _, chunk in chunks] == [None] * (len(chunks) - 1) + [whole["usage"]]
    assert whole["usage"]["prompt_tokens"] == 3
    for expected in whole["choices"]:
        parts = [
            c for _, chunk in chunks for c in chunk["choices"] if c["index"] == expected["index"]
        ]
        assert "".join(part["text"] for part in parts) == expected["text"]
        assert parts[-1]["finish_reason"] == expected["finish_reason"] == "length"
        for name in ("tokens", "text_offset"):
            joined = [value for part in parts for value in part["logprobs"][name]]
            assert joined == expected["logprobs"][name]
        assert expected["logprobs"]["top_logprobs"] is None
    assert [choice["text"][:2] for choice in whole["choices"]] == ["On"] * n + ["xI"] * n
    assert whole["choices"][0]["logprobs"]["tokens"][:2] == ["One", " two"]


def test_the_limits_of_a_text_completion_are_accepted(client: openai.OpenAI) -> None:
    found = client.completions.create(model=MODEL, prompt=["x"] * 128, n=1, best_of=16, logprobs=5)
    assert len(found.choices) == 128


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"prompt": ["x"] * 129}, "prompt", "array_above_max_length"),
        ({"best_of": 17}, "best_of", "integer_above_max_value"),
        ({"user": 1}, "user", "invalid_type"),
        ({"logit_bias": []}, "logit_bias", "invalid_type"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": []}, "prompt", "empty_array"),
        ({"prompt": [1, 2]}, "prompt[0]", "invalid_type"),
        ({"best_of": 1, "n": 2}, "best_of", "integer_below_min_value"),
        ({"suffix": "x"}, "suffix", "unsupported_parameter"),
        ({"prompt": "x" * 10_000, "n": 11, "echo": True}, "echo", "invalid_value"),
        ({"messages": []}, "messages", "unknown_parameter"),
        ({"logprobs": 6}, "logprobs", "integer_above_max_value"),
    ],
)
def test_a_refused_text_completion(
    client: openai.OpenAI, body: dict[str, Any], param: str, code: str
) -> None:
    import openai

    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/completions", cast_to=object, body={"model": MODEL, "prompt": "x", **body})
    assert (refused.value.param, refused.value.code) == (param, code)
