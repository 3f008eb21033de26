"""Every failure of the node, as a tree.

NodeError
├── Transient            retried with back-off, for days if need be
│   ├── PeerUnavailable      a PACS does not answer, or answers "out of resources"
│   ├── DiskReserve          less free space than the configured reserve
│   └── DeviceBusy           the accelerator has no memory or a worker is restarting
└── Permanent            parks the run (or refuses the instance); a person must act
    ├── ConfigFault          config.toml or dicom.toml cannot be used
    ├── NotDicom             bytes that are no DICOM data set, or a broken one
    ├── IdentityFault        UIDs or patient identity missing, unsafe or in conflict
    ├── SeriesRefused        no series fits a model, or its geometry is not usable
    ├── ModelFault           bundle not approved, broken, or it killed its worker
    ├── DoorFault            a result failed its validation: quarantined
    ├── TooFewLabels         nothing can be learnt from so little: an answer, no fault
    └── PeerRefused          a PACS refuses for good

Rooms subclass the leaves; an error carries its facts as attributes and its message names them.
"""


class NodeError(Exception):
    """Something the node can name; the message says what is wrong and what to do."""


class Transient(NodeError):
    """Worth trying again later, unchanged."""


class Permanent(NodeError):
    """Will fail again until a person changes something."""


class PeerUnavailable(Transient):
    """A peer did not answer, or answered that it lacks resources."""


class DiskReserve(Transient):
    """Less free space than the configured reserve."""


class DeviceBusy(Transient):
    """The device has no memory left, or its worker is starting again."""


class ConfigFault(Permanent):
    """A setting cannot be used."""


class NotDicom(Permanent):
    """Bytes that are no DICOM data set, or a broken one."""


class IdentityFault(Permanent):
    """A UID or a patient identity is missing, unsafe or in conflict."""


class SeriesRefused(Permanent):
    """No series fits, or the geometry of one is not usable."""


class ModelFault(Permanent):
    """A model bundle is not approved, broken, or killed its worker."""


class DoorFault(Permanent):
    """A result failed its validation and was quarantined."""


class TooFewLabels(Permanent):
    """There is too little to learn from, or to judge by; the message says how much is needed."""


class PeerRefused(Permanent):
    """A peer refuses for good."""
