// Who may stop a call before it is done.
#pragma once

namespace tw {

// Asked by the thread of the call, between chunks of a phase.
class Watch {
  public:
    virtual bool goes_on() = 0;

  protected:
    ~Watch() = default;
};

}  // namespace tw
