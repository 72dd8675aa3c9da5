"""What the LexiClass API and the LexiClass worker share.

Tables (:mod:`lexiclass_core.models`), request and result schemas
(:mod:`lexiclass_core.schemas`), error codes (:mod:`lexiclass_core.codes`), queues
(:mod:`lexiclass_core.queue_config`), storage paths (:mod:`lexiclass_core.layout`), sessions and
migrations (:mod:`lexiclass_core.db`) and the task client (:mod:`lexiclass_core.client`, needs the
``client`` extra). Knows no machine learning.
"""

__version__ = "0.1.0"
