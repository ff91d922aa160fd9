"""LangChain with langchain-openai."""

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

import checks


def model(name=checks.MODEL, **options):
    return ChatOpenAI(**{"model": name, "max_retries": 0, "timeout": 30, **options})


class City(BaseModel):
    name: str
    people: int


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return checks.WEATHER


def chat():
    checks.expect(model().invoke(checks.QUESTION).content, checks.TEXT)


def stream(name=checks.MODEL):
    checks.expect_pieces([chunk.content for chunk in model(name).stream(checks.QUESTION)])


def tools():
    bound = model().bind_tools([weather])
    asked = HumanMessage(checks.USE_TOOL)
    answer = bound.invoke([asked])
    (call,) = answer.tool_calls
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    checks.expect(bound.invoke([asked, answer, result]).content, checks.TOOL_TEXT)


def schema():
    for method in ("json_schema", "function_calling"):
        found = model().with_structured_output(City, method=method).invoke(checks.QUESTION)
        checks.expect(found, City(name="Paris", people=7))


def embeddings():
    found = OpenAIEmbeddings(model=checks.MODEL, check_embedding_ctx_length=False, max_retries=0)
    checks.expect(found.embed_documents(["one", "two"]), [checks.VECTOR] * 2)


def wrong_key():
    checks.expect_error(
        lambda: model(api_key=checks.WRONG_KEY).invoke(checks.QUESTION), "AuthenticationError", "API key"
    )


def cut():
    checks.expect_error(lambda: stream(checks.CUT))


def responses():
    checks.expect(model(use_responses_api=True).invoke(checks.QUESTION).text, checks.TEXT)


checks.run(
    {
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "schema": schema,
        "embeddings": embeddings,
        "wrong key": wrong_key,
        "cut": cut,
        "responses": responses,
    }
)
