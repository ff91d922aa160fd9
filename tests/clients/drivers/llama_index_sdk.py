"""LlamaIndex with its packages for OpenAI-compatible APIs."""

from llama_index.core.llms import ChatMessage, MessageRole
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

import checks

QUESTION = [ChatMessage(role="user", content=checks.QUESTION)]


def model(name=checks.MODEL, **options):
    given = {
        "model": name,
        "api_base": checks.URL,
        "api_key": checks.KEY,
        "is_chat_model": True,
        "is_function_calling_model": True,
        "max_retries": 0,
        "timeout": 30,
        **options,
    }
    return OpenAILike(**given)


class City(BaseModel):
    """A city."""

    name: str
    people: int


def weather(city: str) -> str:
    """Tell the weather."""
    return checks.WEATHER


def chat():
    checks.expect(model().chat(QUESTION).message.content, checks.TEXT)


def stream(name=checks.MODEL):
    checks.expect_pieces([chunk.delta for chunk in model(name).stream_chat(QUESTION)])


def tools():
    tool = FunctionTool.from_defaults(weather)
    answer = model().chat_with_tools([tool], user_msg=checks.USE_TOOL)
    (call,) = model().get_tool_calls_from_response(answer)
    result = ChatMessage(
        role=MessageRole.TOOL,
        content=tool(**call.tool_kwargs).content,
        additional_kwargs={"tool_call_id": call.tool_id},
    )
    asked = ChatMessage(role="user", content=checks.USE_TOOL)
    checks.expect(
        model().chat_with_tools([tool], chat_history=[asked, answer.message, result]).message.content,
        checks.TOOL_TEXT,
    )


def schema():
    found = model().as_structured_llm(City).chat(QUESTION).raw
    checks.expect(found, City(name="Paris", people=7))


def embeddings():
    found = OpenAILikeEmbedding(
        model_name=checks.MODEL, api_base=checks.URL, api_key=checks.KEY, max_retries=0
    )
    checks.expect(found.get_text_embedding_batch(["one", "two"]), [checks.VECTOR] * 2)


def wrong_key():
    checks.expect_error(
        lambda: model(api_key=checks.WRONG_KEY).chat(QUESTION), "AuthenticationError", "API key"
    )


def cut():
    checks.expect_error(lambda: stream(checks.CUT))


def completions():
    checks.expect(model(is_chat_model=False).complete(checks.QUESTION).text, checks.TEXT)


checks.run(
    {
        "chat": chat,
        "stream": stream,
        "tools": tools,
        "schema": schema,
        "embeddings": embeddings,
        "wrong key": wrong_key,
        "cut": cut,
        "completions": completions,
    }
)
